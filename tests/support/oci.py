"""Images as files, made from nothing: tar layers, OCI layouts and `docker save` archives."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.unit.fakes import digest, tar_of

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def entry(
    name: str,
    content: bytes = b"",
    kind: bytes = tarfile.REGTYPE,
    link: str = "",
    mode: int = 0o644,
    **more: Any,
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname, info.mode = kind, len(content), link, mode
    for key, value in more.items():
        setattr(info, key, value)
    return info, content


def layer(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    """Return a tar of what `entry` makes, a mapping's files first."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for member, content in members:
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def config_of(layers: Sequence[bytes], architecture: str = "amd64") -> dict[str, Any]:
    return {
        "architecture": architecture,
        "os": "linux",
        "config": {"User": "10001:10001"},
        "rootfs": {"type": "layers", "diff_ids": [digest(content) for content in layers]},
        "history": [{"created_by": f"COPY {number}"} for number in range(len(layers))],
    }


class Blobs(dict[str, bytes]):
    """Blobs by digest, with methods that make their descriptors."""

    def add(self, data: bytes | Mapping[str, Any], kind: str, **more: Any) -> dict[str, Any]:
        content = data if isinstance(data, bytes) else json.dumps(data).encode()
        self[digest(content)] = content
        return {"mediaType": kind, "digest": digest(content), "size": len(content), **more}

    def image(
        self,
        layers: Sequence[bytes],
        blobs: Sequence[bytes] | None = None,
        media_type: str = LAYER,
        architecture: str = "amd64",
        **more: Any,
    ) -> dict[str, Any]:
        """Add an image; return the descriptor of its manifest."""
        config = self.add(
            config_of(layers, architecture), "application/vnd.oci.image.config.v1+json"
        )
        listed = [self.add(blob, media_type) for blob in (blobs or layers)]
        manifest = {"schemaVersion": 2, "config": config, "layers": listed}
        return self.add(manifest, MANIFEST, **more)


def write_layout(folder: Path, blobs: Mapping[str, bytes], *manifests: Mapping[str, Any]) -> Path:
    (folder / "blobs" / "sha256").mkdir(parents=True)
    for name, content in blobs.items():
        (folder / "blobs" / "sha256" / name[7:]).write_bytes(content)
    (folder / "index.json").write_text(json.dumps({"manifests": manifests}))
    return folder


def layout_tar(blobs: Mapping[str, bytes], *manifests: Mapping[str, Any]) -> bytes:
    """Return an OCI layout as a tar, without Docker's manifest.json."""
    files = {f"blobs/sha256/{name[7:]}": content for name, content in blobs.items()}
    return tar_of({**files, "index.json": json.dumps({"manifests": manifests}).encode()})


def saved(
    layers: Sequence[bytes],
    names: Sequence[str] | None = None,
    tag: str = "a:1",
    entrypoint: Sequence[str] = (),
) -> bytes:
    """Return what `docker save` writes of one image."""
    settings = config_of(layers)
    if entrypoint:
        settings["config"]["Entrypoint"] = list(entrypoint)
    config = json.dumps(settings).encode()
    names = names or [f"blobs/sha256/{digest(content)[7:]}" for content in layers]
    place = f"blobs/sha256/{digest(config)[7:]}"
    listed = [{"Config": place, "RepoTags": [tag], "Layers": names}]
    files = {**dict(zip(names, layers, strict=True)), place: config}
    return tar_of({**files, "manifest.json": json.dumps(listed).encode()})
