# sutra-base-python:latest: the full Python toolchain, for builders and development.
#
#   eg: cd base-images && docker build -f python-dev.Dockerfile -t sutra-base-python:latest .

# root image: debian or alpine
ARG BASE=debian
# tag of the Debian root image
ARG DEBIAN_VERSION=trixie-slim
# tag of the Alpine root image
ARG ALPINE_VERSION=3.23
# another architecture to build services for, on Debian: amd64 or arm64
ARG CROSS=

FROM debian:${DEBIAN_VERSION} AS python-dev-debian
ARG DEBIAN_VERSION
ARG APT_MIRROR=
RUN --mount=type=bind,source=lib/apt.sh,target=/lib/sutra/apt.sh \
    --mount=type=bind,source=lib/packages-lock.sh,target=/lib/sutra/packages-lock.sh \
    --mount=type=bind,source=builders.lock,target=/mnt/builders.lock \
    --mount=type=secret,id=ca \
    /lib/sutra/apt.sh install \
      binutils \
      ca-certificates \
      g++ \
      gcc \
      libc6-dev \
      libffi-dev \
      libssl-dev \
      make \
      patchelf \
      pkg-config \
      python3-dev \
      python3-pip \
      python3-pyelftools \
      python3-venv \
      python3-yaml
LABEL org.opencontainers.image.base.name="debian:${DEBIAN_VERSION}"

FROM python-dev-debian AS python-dev-debian-cross
ARG APT_MIRROR=
ARG CROSS
RUN --mount=type=bind,source=lib/apt.sh,target=/lib/sutra/apt.sh \
    --mount=type=bind,source=lib/cross-tools.sh,target=/lib/sutra/cross-tools.sh \
    --mount=type=secret,id=ca \
    /lib/sutra/cross-tools.sh "${CROSS}" gcc
# from here on apt.sh installs for that architecture
ENV SUTRA_CROSS=${CROSS}
RUN --mount=type=bind,source=lib/apt.sh,target=/lib/sutra/apt.sh \
    --mount=type=bind,source=lib/cross-python.sh,target=/lib/sutra/cross-python.sh \
    --mount=type=bind,source=lib/cross_site.py,target=/lib/sutra/cross_site.py \
    --mount=type=bind,source=lib/packages-lock.sh,target=/lib/sutra/packages-lock.sh \
    --mount=type=bind,source=lib/slice.sh,target=/lib/sutra/slice.sh \
    --mount=type=bind,source=builders.lock,target=/mnt/builders.lock \
    --mount=type=bind,source=builders.lock,target=/lib/sutra/packages.lock \
    --mount=type=secret,id=ca \
    /lib/sutra/cross-python.sh

FROM alpine:${ALPINE_VERSION} AS python-dev-alpine
ARG ALPINE_VERSION
ARG ALPINE_MIRROR=
RUN --mount=type=bind,source=lib/apk.sh,target=/lib/sutra/apk.sh \
    --mount=type=secret,id=ca \
    /lib/sutra/apk.sh add \
      binutils \
      ca-certificates \
      g++ \
      gcc \
      libffi-dev \
      linux-headers \
      make \
      musl-dev \
      openssl-dev \
      patchelf \
      pkgconf \
      py3-elftools \
      py3-pip \
      py3-yaml \
      python3-dev
LABEL org.opencontainers.image.base.name="alpine:${ALPINE_VERSION}"

# hadolint ignore=DL3006 # a stage of this file, chosen by BASE and CROSS
FROM python-dev-${BASE}${CROSS:+-cross}
ENV LANG=C.UTF-8 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONUNBUFFERED=1
COPY --chmod=755 lib/with-ca.sh /usr/local/bin/with-ca
COPY --chmod=755 lib/runtime-libs.sh /usr/local/bin/runtime-libs
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="sutra-base-python" \
      org.opencontainers.image.description="CPython with compilers and headers, for builders and development" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
CMD ["python3"]
