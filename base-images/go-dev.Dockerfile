# sutra-base-go:latest: the full Go toolchain, for builders and development.
#
#   eg: cd base-images && docker build -f go-dev.Dockerfile -t sutra-base-go:latest .

# root image: debian or alpine
ARG BASE=debian
# tag of the Debian root image
ARG DEBIAN_VERSION=trixie-slim
# tag of the Alpine root image
ARG ALPINE_VERSION=3.23

FROM debian:${DEBIAN_VERSION} AS go-dev-debian
ARG DEBIAN_VERSION
ARG APT_MIRROR=
RUN --mount=type=bind,source=lib/apt.sh,target=/lib/sutra/apt.sh \
    --mount=type=bind,source=lib/packages-lock.sh,target=/lib/sutra/packages-lock.sh \
    --mount=type=bind,source=builders.lock,target=/mnt/builders.lock \
    --mount=type=secret,id=ca \
    /lib/sutra/apt.sh install \
      binutils \
      ca-certificates \
      golang-go
LABEL org.opencontainers.image.base.name="debian:${DEBIAN_VERSION}"

FROM alpine:${ALPINE_VERSION} AS go-dev-alpine
ARG ALPINE_VERSION
ARG ALPINE_MIRROR=
RUN --mount=type=bind,source=lib/apk.sh,target=/lib/sutra/apk.sh \
    --mount=type=secret,id=ca \
    /lib/sutra/apk.sh add \
      binutils \
      ca-certificates \
      go
LABEL org.opencontainers.image.base.name="alpine:${ALPINE_VERSION}"

# hadolint ignore=DL3006 # a stage of this file, chosen by BASE
FROM go-dev-${BASE}
# no other toolchain is downloaded, whatever a go.mod asks for; no C compiler is here
ENV CGO_ENABLED=0 \
    GOFLAGS="-buildvcs=false -mod=readonly -trimpath" \
    GOTOOLCHAIN=local \
    LANG=C.UTF-8
COPY --chmod=755 lib/with-ca.sh /usr/local/bin/with-ca
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="sutra-base-go" \
      org.opencontainers.image.description="the Go toolchain, for builders and development" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
CMD ["go", "version"]
