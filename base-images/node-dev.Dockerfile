# sutra-base-node:latest: Node.js with npm, for builders and development.
#
#   eg: cd base-images && docker build -f node-dev.Dockerfile -t sutra-base-node:latest .

# root image: debian or alpine
ARG BASE=debian
# tag of the Debian root image
ARG DEBIAN_VERSION=trixie-slim
# tag of the Alpine root image
ARG ALPINE_VERSION=3.23

FROM debian:${DEBIAN_VERSION} AS node-dev-debian
ARG DEBIAN_VERSION
ARG APT_MIRROR=
# Python runs the cleanup; no compiler is here, since no package's script is run
RUN --mount=type=bind,source=lib/apt.sh,target=/lib/sutra/apt.sh \
    --mount=type=bind,source=lib/packages-lock.sh,target=/lib/sutra/packages-lock.sh \
    --mount=type=bind,source=builders.lock,target=/mnt/builders.lock \
    --mount=type=secret,id=ca \
    /lib/sutra/apt.sh install \
      ca-certificates \
      nodejs \
      npm \
      python3 \
      python3-pyelftools \
      python3-yaml
LABEL org.opencontainers.image.base.name="debian:${DEBIAN_VERSION}"

FROM alpine:${ALPINE_VERSION} AS node-dev-alpine
ARG ALPINE_VERSION
ARG ALPINE_MIRROR=
RUN --mount=type=bind,source=lib/apk.sh,target=/lib/sutra/apk.sh \
    --mount=type=secret,id=ca \
    /lib/sutra/apk.sh add \
      ca-certificates \
      nodejs \
      npm \
      py3-elftools \
      py3-yaml \
      python3
LABEL org.opencontainers.image.base.name="alpine:${ALPINE_VERSION}"

# hadolint ignore=DL3006 # a stage of this file, chosen by BASE
FROM node-dev-${BASE}
ENV LANG=C.UTF-8 \
    npm_config_audit=false \
    npm_config_fund=false \
    npm_config_update_notifier=false
COPY --chmod=755 lib/with-ca.sh /usr/local/bin/with-ca
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="sutra-base-node" \
      org.opencontainers.image.description="Node.js and npm, for builders and development" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
CMD ["node"]
