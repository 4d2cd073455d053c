"""A root of a few files, the lines that its bootstrap prints, and a reader of its layout."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

from scripts.build import bootstrap, root_tar
from tests.unit.fakes import tar_of

IMAGE = "debian:trixie-slim"
ROOT_TAR = tar_of({"etc/os-release": b"ID=debian\n", "bin/sh": os.urandom(3_000_000)})


def plain(tar: bytes, suite: str = "trixie") -> bytes:
    """Return the layer that a root of these files becomes."""
    sink = io.BytesIO()
    root_tar.write(io.BytesIO(tar), sink, bootstrap.sources(suite))
    return sink.getvalue()


LAYER = plain(ROOT_TAR)
START = (
    "roots: debian:trixie-slim: bootstrapping it from Debian's signed packages "
    "(once; `make roots` refreshes it)\n"
)
END = "roots: debian:trixie-slim: bootstrapped\n"


def blob(layout: Path, descriptor: dict[str, Any]) -> bytes:
    """Return the blob of a descriptor, whose digest and size must be its own."""
    algorithm, _, name = descriptor["digest"].partition(":")
    data: bytes = (layout / "blobs" / algorithm / name).read_bytes()
    assert (algorithm, name) == ("sha256", hashlib.sha256(data).hexdigest())
    assert descriptor["size"] == len(data)
    return data


def unfold(layout: Path) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Return manifest, config and unpacked layer."""
    index = json.loads((layout / "index.json").read_text())
    (entry,) = index["manifests"]
    manifest = json.loads(blob(layout, entry))
    (layer,) = manifest["layers"]
    config = json.loads(blob(layout, manifest["config"]))
    return manifest, config, gzip.decompress(blob(layout, layer))
