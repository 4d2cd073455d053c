"""The OCI image layout of a bootstrapped root: one layer, the same bytes for the same packages."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.common import platforms

# The time of every file of a bootstrapped root. Not 0: ZIP files begin with 1980.
STAMP = datetime(1980, 1, 1, tzinfo=UTC)


def write(root: Path, layout: Path, tag: str, architecture: str = platforms.OWN) -> None:
    """Make an OCI image layout of one gzip layer from the tar file `root`.

    Source: OCI image-spec, image-layout.md and config.md.
    """
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    packed, diff_id = blobs / "packed", hashlib.sha256()
    with root.open("rb") as source, gzip.GzipFile(packed, "wb", compresslevel=1, mtime=0) as sink:
        while chunk := source.read(1 << 20):
            diff_id.update(chunk)
            sink.write(chunk)
    with packed.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    packed.rename(blobs / digest)
    layer = _descriptor("layer.v1.tar+gzip", digest, (blobs / digest).stat().st_size)
    config = _write_blob(
        blobs, "config.v1+json", _config(f"sha256:{diff_id.hexdigest()}", architecture)
    )
    manifest = _write_blob(
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


def _write_blob(blobs: Path, kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
    data = json.dumps(content, sort_keys=True).encode()
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    return _descriptor(kind, digest, len(data))


def _descriptor(kind: str, digest: str, size: int) -> dict[str, Any]:
    return {
        "mediaType": f"application/vnd.oci.image.{kind}",
        "digest": f"sha256:{digest}",
        "size": size,
    }
