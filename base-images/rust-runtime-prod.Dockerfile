# sutra-base-rust-runtime:prod: what a dynamically linked Rust server needs, and
# the accounts and certificates that a static one copies.
#
#   eg: cd base-images && docker build -f rust-runtime-prod.Dockerfile -t sutra-base-rust-runtime:prod .

# root image: debian or alpine
ARG BASE=debian
# tag of the Debian root image
ARG DEBIAN_VERSION=trixie-slim
# tag of the Alpine root image
ARG ALPINE_VERSION=3.23

# ---- Debian: chosen packages unpacked into an empty root -------------------

# packages are only unpacked, so that the builder's own platform does it for any other
FROM --platform=$BUILDPLATFORM debian:${DEBIAN_VERSION} AS slice
ARG APT_MIRROR=
ARG TARGETARCH
# gcc-14-base holds the licence of libgcc-s1
RUN --mount=type=bind,source=lib/apt.sh,target=/lib/sutra/apt.sh \
    --mount=type=bind,source=lib/slice.sh,target=/lib/sutra/slice.sh \
    --mount=type=bind,source=lib/packages-lock.sh,target=/lib/sutra/packages-lock.sh \
    --mount=type=bind,source=packages.lock,target=/lib/sutra/packages.lock \
    --mount=type=secret,id=ca \
    /lib/sutra/slice.sh /rootfs \
      base-files \
      ca-certificates \
      gcc-14-base \
      libc6 \
      libgcc-s1
RUN --mount=type=bind,source=etc,target=/mnt/etc \
    --mount=type=bind,source=lib/finish-root.sh,target=/lib/sutra/finish-root.sh \
    /lib/sutra/finish-root.sh /rootfs /mnt/etc

FROM scratch AS rust-debian
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
      libgcc \
 && /lib/sutra/alpine-root.sh

FROM alpine-packages AS alpine-finished
COPY --from=alpine-packages / /rootfs
RUN --mount=type=bind,source=lib/finish-root.sh,target=/lib/sutra/finish-root.sh \
    /lib/sutra/finish-root.sh /rootfs

# one layer: what the packages' own scripts wrote over the root image's files is there once
FROM scratch AS rust-alpine
ARG ALPINE_VERSION
COPY --from=alpine-finished /rootfs /
LABEL org.opencontainers.image.base.name="alpine:${ALPINE_VERSION}"

# ---- what both have in common ----------------------------------------------

# hadolint ignore=DL3006 # a stage of this file, chosen by BASE
FROM rust-${BASE}
ENV PATH=/usr/local/bin:/usr/bin:/bin
WORKDIR /app
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="sutra-base-rust-runtime" \
      org.opencontainers.image.description="C library, libgcc and CA certificates for Rust servers" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
USER 10001:10001
