"""Labels of images that several rooms read (OCI image-spec, annotations.md)."""

from __future__ import annotations

PREFIX = "org.opencontainers.image."
TITLE = f"{PREFIX}title"
VERSION = f"{PREFIX}version"
CREATED = f"{PREFIX}created"
REVISION = f"{PREFIX}revision"
BASE_NAME = f"{PREFIX}base.name"
# value of BASE_NAME for an image that is built from scratch
SCRATCH = "scratch"
BASE_DIGEST = f"{PREFIX}base.digest"
# the root image that the builders started from, "debian:trixie-slim@sha256:…"
ROOT = "org.sutra.root"
# commit of the base under a service that `make rebase` moved
BASE_REVISION = "org.sutra.base.revision"
# root image of what built that service, where it is not its base's
BUILD_ROOT = "org.sutra.build.root"
