# sutra-base-node:prod: Node.js and what it loads, nothing else.
#
#   eg: cd base-images && docker build -f node-prod.Dockerfile -t sutra-base-node:prod .

# root image: debian or alpine
ARG BASE=debian
# tag of the Debian root image
ARG DEBIAN_VERSION=trixie-slim
# tag of the Alpine root image
ARG ALPINE_VERSION=3.23

# ---- Debian: chosen packages unpacked into an empty root -------------------

FROM debian:${DEBIAN_VERSION} AS slice
ARG APT_MIRROR=
# gcc-14-base holds the licence of libgcc-s1 and libstdc++6
# node-* are modules of Node.js itself, which Debian keeps apart from it
RUN --mount=type=bind,source=lib/apt.sh,target=/lib/sutra/apt.sh \
    --mount=type=bind,source=lib/slice.sh,target=/lib/sutra/slice.sh \
    --mount=type=bind,source=lib/packages-lock.sh,target=/lib/sutra/packages-lock.sh \
    --mount=type=bind,source=packages.lock,target=/lib/sutra/packages.lock \
    --mount=type=secret,id=ca \
    /lib/sutra/slice.sh /rootfs \
      base-files \
      ca-certificates \
      gcc-14-base \
      libbrotli1 \
      libc6 \
      libcares2 \
      libgcc-s1 \
      libicu76 \
      libnghttp2-14 \
      libnode115 \
      libssl3t64 \
      libstdc++6 \
      libuv1t64 \
      libzstd1 \
      netbase \
      node-acorn \
      node-cjs-module-lexer \
      node-minimatch \
      node-undici \
      nodejs \
      zlib1g
RUN --mount=type=bind,source=lib/trim-node.sh,target=/lib/sutra/trim-node.sh \
    /lib/sutra/trim-node.sh /rootfs
RUN --mount=type=bind,source=lib/prove-node.mjs,target=/rootfs/tmp/prove-node.mjs \
    chroot /rootfs node /tmp/prove-node.mjs
RUN --mount=type=bind,source=etc,target=/mnt/etc \
    --mount=type=bind,source=lib/finish-root.sh,target=/lib/sutra/finish-root.sh \
    /lib/sutra/finish-root.sh /rootfs /mnt/etc

FROM scratch AS node-debian
ARG DEBIAN_VERSION
COPY --from=slice /rootfs /
LABEL org.opencontainers.image.base.name="debian:${DEBIAN_VERSION}"

# ---- Alpine: its own packages ----------------------------------------------

FROM alpine:${ALPINE_VERSION} AS alpine-packages
ARG ALPINE_MIRROR=
RUN --mount=type=bind,source=lib/apk.sh,target=/lib/sutra/apk.sh \
    --mount=type=bind,source=lib/alpine-root.sh,target=/lib/sutra/alpine-root.sh \
    --mount=type=secret,id=ca \
    /lib/sutra/apk.sh add \
      ca-certificates \
      nodejs \
 && /lib/sutra/alpine-root.sh
RUN --mount=type=bind,source=lib/prove-node.mjs,target=/mnt/prove-node.mjs \
    node /mnt/prove-node.mjs

FROM alpine-packages AS alpine-finished
COPY --from=alpine-packages / /rootfs
RUN --mount=type=bind,source=lib/finish-root.sh,target=/lib/sutra/finish-root.sh \
    /lib/sutra/finish-root.sh /rootfs

# one layer: what the packages' own scripts wrote over the root image's files is there once
FROM scratch AS node-alpine
ARG ALPINE_VERSION
COPY --from=alpine-finished /rootfs /
LABEL org.opencontainers.image.base.name="alpine:${ALPINE_VERSION}"

# ---- what both have in common ----------------------------------------------

# hadolint ignore=DL3006 # a stage of this file, chosen by BASE
FROM node-${BASE}
ENV LANG=C.UTF-8 \
    NODE_ENV=production \
    PATH=/usr/local/bin:/usr/bin:/bin
WORKDIR /app
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="sutra-base-node" \
      org.opencontainers.image.description="Node.js runtime for services" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
USER 10001:10001
CMD ["node"]
