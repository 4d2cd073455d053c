"""A copy of an image under digests that no engine has, so that a pull of it fetches everything.

The first layer gets one more file, so that an engine has to unpack all layers. The others get
another time in the header of their compressed bytes, which nobody reads.
"""

from __future__ import annotations

import gzip
import json
import tarfile
from dataclasses import dataclass, field
from typing import Any

from scripts.oci.manifest import digest_of

GZIP = b"\x1f\x8b"
# the header's time: RFC 1952, 2.3
TIME = slice(4, 8)
NONCE_BYTES = 4
FILE = "fresh-node"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@dataclass
class Twin:
    """A manifest, and the bytes of its configuration and layers by digest."""

    manifest: bytes = b""
    blobs: dict[str, bytes] = field(default_factory=dict)

    def add(self, kind: str, data: bytes) -> dict[str, Any]:
        """Keep a blob, and return what a manifest says of it."""
        digest = digest_of(data)
        self.blobs[digest] = data
        return {"mediaType": kind, "digest": digest, "size": len(data)}


def of(archive: tarfile.TarFile, nonce: bytes) -> Twin:
    """Return the twin of the one image in what `docker save` wrote; `nonce` has NONCE_BYTES."""
    (saved,) = json.loads(_read(archive, "manifest.json"))
    config = json.loads(_read(archive, saved["Config"]))
    twin = Twin()
    layers = []
    for number, name in enumerate(saved["Layers"]):
        packed = _packed(_read(archive, name))
        if number == 0:
            extra = _file(nonce)
            config["rootfs"]["diff_ids"][0] = digest_of(extra + gzip.decompress(packed))
            # members of gzip one after the other are the bytes of both
            packed = gzip.compress(extra, mtime=0) + packed
        layers.append(twin.add(LAYER, packed[: TIME.start] + nonce + packed[TIME.stop :]))
    described = twin.add(CONFIG, json.dumps(config).encode())
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": layers}
    twin.manifest = json.dumps(document).encode()
    return twin


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    assert member, name  # noqa: S101 - the engine's own archive: its lists name regular files
    return member.read()


def _packed(layer: bytes) -> bytes:
    """Return the layer as a registry has it: the classic store saves it unpacked."""
    return layer if layer.startswith(GZIP) else gzip.compress(layer, mtime=0)


def _file(nonce: bytes) -> bytes:
    member = tarfile.TarInfo(FILE)
    member.size = len(nonce)
    return member.tobuf() + nonce.ljust(tarfile.BLOCKSIZE, b"\0")
