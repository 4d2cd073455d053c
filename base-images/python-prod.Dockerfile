# sutra-base-python:prod: CPython and what it loads, nothing else.
#
#   eg: cd base-images && docker build -f python-prod.Dockerfile -t sutra-base-python:prod .

# root image: debian or alpine
ARG BASE=debian
# tag of the Debian root image
ARG DEBIAN_VERSION=trixie-slim
# tag of the Alpine root image
ARG ALPINE_VERSION=3.23

# ---- Debian: chosen packages unpacked into an empty root -------------------

# The builder's own platform unpacks and cleans for any other; an emulator runs only the Python of
# that platform, for the proofs.
FROM --platform=$BUILDPLATFORM debian:${DEBIAN_VERSION} AS slice
ARG APT_MIRROR=
ARG TARGETARCH
# left out, with the modules that need them: libdb (dbm), libncursesw (curses), libreadline,
# libsqlite3 (sqlite3; a service takes it along with runtime-libs)
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
      libbz2-1.0 \
      libc6 \
      libexpat1 \
      libffi8 \
      libgcc-s1 \
      liblzma5 \
      libpython3.13-minimal \
      libpython3.13-stdlib \
      libssl3t64 \
      libuuid1 \
      libzstd1 \
      media-types \
      netbase \
      python3.13-minimal \
      zlib1g
RUN ln -s python3.13 /rootfs/usr/bin/python3 && ln -s python3.13 /rootfs/usr/bin/python
# the cleanup runs on the same version of the interpreter, with its own libraries
RUN --mount=type=bind,source=lib/apt.sh,target=/lib/sutra/apt.sh \
    --mount=type=bind,source=lib/packages-lock.sh,target=/lib/sutra/packages-lock.sh \
    --mount=type=bind,source=builders.lock,target=/mnt/builders.lock \
    --mount=type=secret,id=ca \
    /lib/sutra/apt.sh install \
      binutils \
      python3 \
      python3-pyelftools \
      python3-yaml
RUN --mount=type=bind,source=lib/apt.sh,target=/lib/sutra/apt.sh \
    --mount=type=bind,source=lib/cross-tools.sh,target=/lib/sutra/cross-tools.sh \
    --mount=type=secret,id=ca \
    /lib/sutra/cross-tools.sh "${TARGETARCH}" binutils
# for `make bench`: one bytecode mode for all modules, instead of the manifest's
ARG BYTECODE
ARG BUILDARCH
RUN --mount=type=bind,source=lib/sutra_cleanup,target=/mnt/lib/sutra_cleanup \
    --mount=type=bind,source=cleanup,target=/mnt/cleanup \
    if [ "${TARGETARCH}" != "${BUILDARCH}" ]; then export SUTRA_CROSS="${TARGETARCH}"; fi \
 && PYTHONPATH=/mnt/lib python3 -B -m sutra_cleanup \
      --tree /rootfs/usr/lib/python3.13 \
      --shown-as /usr/lib/python3.13 \
      --manifest /mnt/cleanup/stdlib.yaml \
      --python "chroot /rootfs /usr/bin/python3.13" \
      --report /rootfs/usr/share/sutra/cleanup-base.json \
      ${BYTECODE:+--bytecode "${BYTECODE}"}
RUN --mount=type=bind,source=lib/prove-stdlib.py,target=/rootfs/tmp/prove-stdlib.py \
    chroot /rootfs python3 -B /tmp/prove-stdlib.py
RUN --mount=type=bind,source=etc,target=/mnt/etc \
    --mount=type=bind,source=lib/finish-root.sh,target=/lib/sutra/finish-root.sh \
    /lib/sutra/finish-root.sh /rootfs /mnt/etc

FROM scratch AS python-debian
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
      curl \
      libffi \
      libgcc \
      python3 \
 && /lib/sutra/alpine-root.sh
RUN --mount=type=bind,source=lib/require-python.py,target=/mnt/require-python.py \
    python3 -B /mnt/require-python.py

FROM alpine-packages AS alpine-cleaned
ARG ALPINE_MIRROR=
# the cleanup runs on the same interpreter, of the same package, with its own libraries
COPY --from=alpine-packages / /rootfs
RUN --mount=type=bind,source=lib/apk.sh,target=/lib/sutra/apk.sh \
    --mount=type=secret,id=ca \
    /lib/sutra/apk.sh add \
      binutils \
      py3-elftools \
      py3-yaml
# for `make bench`: one bytecode mode for all modules, instead of the manifest's
ARG BYTECODE
RUN --mount=type=bind,source=lib/sutra_cleanup,target=/mnt/lib/sutra_cleanup \
    --mount=type=bind,source=cleanup,target=/mnt/cleanup \
    stdlib="$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
 && PYTHONPATH=/mnt/lib python3 -B -m sutra_cleanup \
      --tree "/rootfs${stdlib}" \
      --shown-as "${stdlib}" \
      --manifest /mnt/cleanup/stdlib.yaml \
      --python "chroot /rootfs /usr/bin/python3" \
      --report /rootfs/usr/share/sutra/cleanup-base.json \
      ${BYTECODE:+--bytecode "${BYTECODE}"}
RUN --mount=type=bind,source=lib/prove-stdlib.py,target=/rootfs/tmp/prove-stdlib.py \
    chroot /rootfs python3 -B /tmp/prove-stdlib.py
RUN --mount=type=bind,source=lib/finish-root.sh,target=/lib/sutra/finish-root.sh \
    /lib/sutra/finish-root.sh /rootfs

# one layer: what the packages' own scripts wrote over the root image's files is there once
FROM scratch AS python-alpine
ARG ALPINE_VERSION
COPY --from=alpine-cleaned /rootfs /
LABEL org.opencontainers.image.base.name="alpine:${ALPINE_VERSION}"

# ---- what both have in common ----------------------------------------------

# hadolint ignore=DL3006 # a stage of this file, chosen by BASE
FROM python-${BASE}
# sources are bytecode already, and nobody may write beside them
ENV LANG=C.UTF-8 \
    PATH=/opt/sutra/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONUTF8=1
WORKDIR /app
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="sutra-base-python" \
      org.opencontainers.image.description="CPython runtime for services" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
USER 10001:10001
CMD ["python3"]
