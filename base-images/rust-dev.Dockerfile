# sutra-base-rust:latest: the full Rust toolchain, for builders and development.
#
#   eg: cd base-images && docker build -f rust-dev.Dockerfile -t sutra-base-rust:latest .

# root image: debian or alpine
ARG BASE=debian
# tag of the Debian root image
ARG DEBIAN_VERSION=trixie-slim
# tag of the Alpine root image
ARG ALPINE_VERSION=3.23
# another architecture to compile for, on Debian: amd64 or arm64
ARG CROSS=

FROM debian:${DEBIAN_VERSION} AS rust-dev-debian
ARG DEBIAN_VERSION
ARG APT_MIRROR=
RUN --mount=type=bind,source=lib/apt.sh,target=/lib/sutra/apt.sh \
    --mount=type=bind,source=lib/packages-lock.sh,target=/lib/sutra/packages-lock.sh \
    --mount=type=bind,source=builders.lock,target=/mnt/builders.lock \
    --mount=type=secret,id=ca \
    /lib/sutra/apt.sh install \
      binutils \
      ca-certificates \
      cargo \
      cargo-auditable \
      gcc \
      libc6-dev \
      rust-clippy \
      rustc \
      rustfmt
LABEL org.opencontainers.image.base.name="debian:${DEBIAN_VERSION}"

FROM rust-dev-debian AS rust-dev-debian-cross
ARG APT_MIRROR=
ARG CROSS
RUN --mount=type=bind,source=lib/apt.sh,target=/lib/sutra/apt.sh \
    --mount=type=bind,source=lib/cross.sh,target=/lib/sutra/cross.sh \
    --mount=type=secret,id=ca \
    /lib/sutra/cross.sh "${CROSS}"

FROM alpine:${ALPINE_VERSION} AS rust-dev-alpine
ARG ALPINE_VERSION
ARG ALPINE_MIRROR=
RUN --mount=type=bind,source=lib/apk.sh,target=/lib/sutra/apk.sh \
    --mount=type=secret,id=ca \
    /lib/sutra/apk.sh add \
      binutils \
      ca-certificates \
      cargo \
      cargo-auditable \
      gcc \
      musl-dev \
      rust \
      rust-clippy \
      rustfmt
LABEL org.opencontainers.image.base.name="alpine:${ALPINE_VERSION}"

# hadolint ignore=DL3006 # a stage of this file, chosen by BASE and CROSS
FROM rust-dev-${BASE}${CROSS:+-cross}
ENV LANG=C.UTF-8
COPY --chmod=755 lib/with-ca.sh /usr/local/bin/with-ca
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="sutra-base-rust" \
      org.opencontainers.image.description="rustc and cargo with a linker, for builders and development" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
CMD ["cargo", "--version"]
