"""The OCI image layout of a bootstrapped root: one layer, the same bytes for the same packages."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from scripts.build.root_tar import STAMP
from scripts.common import platforms

# What zlib writes depends on its version and on who made it; gzip has a packer of its own.
PACK = ("gzip", "-n", "-1")


def write(root: Path, layout: Path, tag: str, architecture: str = platforms.OWN) -> None:
    """Make an OCI image layout of one gzip layer from the tar file `root`.

    Source: OCI image-spec, image-layout.md and config.md.
    """
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    with root.open("rb") as source:
        diff_id = hashlib.file_digest(source, "sha256").hexdigest()
        source.seek(0)
        layer = _write_blob(blobs, "layer.v1.tar+gzip", _packed(source))
    config = _write_document(blobs, "config.v1+json", _config(f"sha256:{diff_id}", architecture))
    manifest = _write_document(
        blobs,
        "manifest.v1+json",
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config,
            "layers": [layer],
        },
    )
    manifest["annotations"] = {"org.opencontainers.image.ref.name": tag}
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))


def _packed(source: IO[bytes]) -> bytes:
    """Return what is left of a file, packed: some 30 MB of a root."""
    try:
        done = subprocess.run(PACK, stdin=source, stdout=subprocess.PIPE, check=False)
    except FileNotFoundError as error:
        raise OSError(error.errno, f"{PACK[0]} is not installed") from error
    if done.returncode:
        raise OSError(done.returncode, f"{PACK[0]} ended with exit code {done.returncode}")
    return done.stdout


def _config(diff_id: str, architecture: str) -> dict[str, Any]:
    return {
        # not now: the same packages are the same image, whenever they are unpacked
        "created": STAMP.isoformat(),
        "architecture": architecture or platforms.own_architecture(),
        "os": "linux",
        "config": {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "Cmd": ["bash"],
        },
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created_by": "mmdebstrap --variant=minbase"}],
    }


def _write_document(blobs: Path, kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
    return _write_blob(blobs, kind, json.dumps(content, sort_keys=True).encode())


def _write_blob(blobs: Path, kind: str, data: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    return _descriptor(kind, digest, len(data))


def _descriptor(kind: str, digest: str, size: int) -> dict[str, Any]:
    return {
        "mediaType": f"application/vnd.oci.image.{kind}",
        "digest": f"sha256:{digest}",
        "size": size,
    }
