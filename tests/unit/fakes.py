"""Small real things that tests build: an engine in memory, its archives, programs on PATH."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from docker.errors import APIError, ImageNotFound


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar_of(files: Mapping[str, bytes], format: int = tarfile.GNU_FORMAT) -> bytes:
    """Return an uncompressed tar of regular files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=format) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


class FakeImage:
    """What `images.get` returns; the archive is what `docker save` would stream."""

    def __init__(
        self,
        layers: Sequence[bytes],
        blobs: Sequence[bytes] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        diff_ids = [digest(layer) for layer in layers]
        config = json.dumps({"rootfs": diff_ids, "labels": labels}).encode()
        self.id = digest(config)
        self.attrs = {
            "Id": self.id,
            "Architecture": "amd64",
            "Os": "linux",
            "Config": {"Labels": dict(labels or {})},
            "RootFS": {"Layers": [digest(layer) for layer in layers]},
        }
        packed = layers if blobs is None else blobs
        self.archive = tar_of(
            {
                **{f"blobs/sha256/{digest(blob)[7:]}": blob for blob in [config, *packed]},
                "index.json": b"{}",
                "manifest.json": b"[]",
            }
        )


def old_archive(layers: Mapping[str, bytes]) -> bytes:
    """Return what Docker 23 and 24 save: `<id>/layer.tar` by id, and no blobs."""
    return tar_of(
        {
            "f" * 64 + ".json": b"{}",
            **{
                f"{identity}/{name}": content
                for identity, layer in layers.items()
                for name, content in (("VERSION", b"1.0"), ("json", b"{}"), ("layer.tar", layer))
            },
            "manifest.json": b"[]",
        }
    )


class FakeEngine:
    """Images and tags in memory, behind the few calls that scripts.engine makes.

    `error` is raised when the tag `fail_tag` is set: once, or each time when `fail_always`;
    before the tag moves, or after it when `fail_late`.
    """

    def __init__(self, disk: str = "/nonexistent/docker") -> None:
        self.images = self
        self.api = self
        self.base_url = "http+docker://localunixsocket"
        self.disk = disk
        self.known: dict[str, FakeImage] = {}
        self.tags: dict[str, str] = {}
        self.saves: list[str] = []
        self.moves: list[tuple[str, str]] = []
        self.fail_tag = ""
        self.fail_always = self.fail_late = False
        self.error: BaseException = APIError("500", explanation="disk is read-only")
        self.chunk = 1000

    def add(self, image: FakeImage, *tags: str) -> str:
        self.known[image.id] = image
        self.tags.update(dict.fromkeys(tags, image.id))
        return image.id

    def _find(self, reference: str) -> FakeImage:
        image = self.known.get(self.tags.get(reference, reference))
        if image is None:
            raise ImageNotFound(f"no such image: {reference}")
        return image

    def get(self, reference: str) -> FakeImage:
        return self._find(reference)

    def __call__(self, name: str) -> list[dict[str, Any]]:
        """Answer `client.api.images(name=…)`: `api` and `images` are this object, too."""
        tags = [tag for tag in self.tags if tag.rpartition(":")[0] == name]
        return [{"Id": self.tags[tag], "RepoTags": [tag]} for tag in tags]

    def info(self) -> dict[str, str]:
        return {"DockerRootDir": self.disk}

    def get_image(self, reference: str) -> Iterator[bytes]:
        data = self._find(reference).archive
        self.saves.append(reference)
        return (data[at : at + self.chunk] for at in range(0, len(data), self.chunk))

    def history(self, reference: str) -> list[dict[str, Any]]:
        self._find(reference)
        return [
            {"CreatedBy": "CMD", "Comment": "", "Size": 0},
            {"CreatedBy": "COPY", "Comment": "buildkit", "Size": 12},
        ]

    def tag(self, source: str, repository: str, tag: str) -> bool:
        target = f"{repository}:{tag}"
        failing = target == self.fail_tag
        if failing and not self.fail_always:
            self.fail_tag = ""
        if not failing or self.fail_late:
            self.tags[target] = self._find(source).id
            self.moves.append((target, source))
        if failing:
            raise self.error
        return True

    def remove_image(self, reference: str, noprune: bool) -> list[Any]:
        assert noprune
        if reference not in self.tags:
            raise ImageNotFound(f"no such image: {reference}")
        del self.tags[reference]
        return []


def program(folder: Path, name: str, script: str) -> Path:
    """Write an executable shell script."""
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / name
    made.write_text("#!/bin/sh\n" + script)
    made.chmod(0o755)
    return made
