# sutra-sbom-generator: BuildKit's generator of bills of materials (docs/signing.md).
#
#   eg: docker buildx bake sutra-sbom-generator

FROM sutra-base-python:latest
ARG PIP_INDEX_URL=
RUN python3 -m venv --without-pip /opt/sutra
RUN --mount=type=bind,source=requirements.lock,target=/mnt/requirements.lock \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=ca \
    with-ca python3 -m pip --python /opt/sutra install \
      --no-compile --only-binary=:all: --require-hashes -r /mnt/requirements.lock
COPY base-images/lib/sutra_cleanup /opt/lib/sutra_cleanup
COPY scripts /opt/lib/scripts
ENV PYTHONPATH=/opt/lib
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="sutra-sbom-generator" \
      org.opencontainers.image.description="SPDX of an image's files, for BuildKit" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
# runs as root, because some files of an image may be readable only by their owner
CMD ["/opt/sutra/bin/python", "-m", "scripts.sbom.generator"]
