# sutra-images:prod: the checker of packages/sutra-images as an image, on the Python runtime.
# Built when asked for: docs/adopt.md.
#
#   eg: .venv/bin/python -m scripts checker-image

# ---- locked dependencies, before any source --------------------------------

# the builder's own platform builds for any other
FROM --platform=$BUILDPLATFORM sutra-base-python:latest AS deps
ARG PIP_INDEX_URL=
RUN python3 -m venv --without-pip /opt/sutra
RUN --mount=type=bind,source=packages/sutra-images/requirements.lock,target=/mnt/requirements.lock \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=ca \
    with-ca python3 -m pip --python /opt/sutra install \
      --no-compile --only-binary=:all: --require-hashes -r /mnt/requirements.lock
# C++, of which hyperscan is written
RUN --mount=type=bind,from=sutra-base-python:prod,target=/base \
    runtime-libs /runtime libstdc++.so.6

# ---- the modules of the wheel, and no more ---------------------------------

FROM deps AS builder
COPY packages/sutra-images/src /app/
RUN --mount=type=bind,source=base-images,target=/mnt/context/base-images \
    --mount=type=bind,source=packages/sutra-images,target=/mnt/context/packages/sutra-images \
    --mount=type=bind,source=scripts,target=/mnt/context/scripts \
    python3 /mnt/context/packages/sutra-images/copy_modules.py /mnt/context /app
WORKDIR /app
RUN --mount=type=bind,source=base-images,target=/mnt/base-images \
    --mount=type=bind,source=packages/sutra-images/cleanup.yaml,target=/mnt/packages/sutra-images/cleanup.yaml \
    /mnt/base-images/lib/clean.sh /mnt/packages/sutra-images/cleanup.yaml

# one time stamp for every file, parent folders too: the same bytes in every build
FROM builder AS layers
RUN --mount=type=bind,source=base-images/lib/layers.sh,target=/mnt/layers.sh \
    mkdir -p /work \
 && /mnt/layers.sh /layers /runtime:/ /opt/sutra:/opt/sutra /app:/app /out:/ /work:/work

FROM sutra-base-python:prod
COPY --from=layers /layers/1 /
COPY --from=layers /layers/2 /
COPY --from=layers /layers/3 /
COPY --from=layers /layers/4 /
COPY --from=layers /layers/5 /
# the cache of layers that were read is in /tmp, where any user may write; a catalogue is mounted at /work
ENV PYTHONPATH=/app \
    XDG_CACHE_HOME=/tmp
WORKDIR /work
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="sutra-images" \
      org.opencontainers.image.description="Checks container images against budgets and rules" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="sutra-base-python:prod"
USER 10001:10001
# -P: a module in /work is never taken for one of ours
ENTRYPOINT ["python", "-P", "-m", "sutra_images"]
CMD ["--help"]
