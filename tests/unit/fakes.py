"""Small real things that tests build: an engine in memory, its archives, programs on PATH."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self, cast

from docker.errors import APIError, ImageNotFound


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar_of(files: Mapping[str, bytes], format: int = tarfile.GNU_FORMAT) -> bytes:
    """Return an uncompressed tar of regular files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=format) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


class FakeImage:
    """The image that `images.get` returns; its archive is what `docker save` would stream."""

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


def joined(archives: Iterable[bytes]) -> bytes:
    """Return the archive of several images: each of their files once."""
    files: dict[str, bytes] = {}
    for archive in archives:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for member in tar:
                if content := tar.extractfile(member):
                    files[member.name] = content.read()
    return tar_of(files)


class FakeResponse:
    """An archive as `requests` hands it out."""

    def __init__(self, content: bytes, chunk: int) -> None:
        self._content, self._chunk = content, chunk

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def raise_for_status(self) -> None:
        """Do nothing: it is there."""

    def iter_content(self, size: int) -> Iterator[bytes]:
        """Yield the content in chunks."""
        steps = range(0, len(self._content), min(size, self._chunk))
        return (self._content[at : at + min(size, self._chunk)] for at in steps)


if TYPE_CHECKING:
    AnyType = Any
else:
    AnyType = object  # on Python 3.11 a class below Any takes no arguments


# every type in place of docker.DockerClient, most of whose hundred methods no test needs
class FakeEngine(AnyType):  # type: ignore[misc]
    """Images and tags in memory, behind the few calls that scripts.engine makes.

    `error` is raised when the tag `fail_tag` is set: once, or each time when `fail_always`;
    before the tag moves, or after it when `fail_late`.
    """

    def __init__(self, disk: str = "/nonexistent/docker") -> None:
        self.images = self
        self.api = self
        self.base_url = "http+docker://localunixsocket"
        self.api_version = "1.45"
        self.disk = disk
        self.by_id: dict[str, FakeImage] = {}
        self.tags: dict[str, str] = {}
        self.saves: list[str] = []
        self.moves: list[tuple[str, str]] = []
        self.fail_tag = ""
        self.fail_always = self.fail_late = False
        self.error: BaseException = APIError("500", explanation="disk is read-only")
        self.chunk = 1000

    def add(self, image: FakeImage, *tags: str) -> str:
        self.by_id[image.id] = image
        self.tags.update(dict.fromkeys(tags, image.id))
        return image.id

    def _find(self, reference: str) -> FakeImage:
        image = self.by_id.get(self.tags.get(reference, reference))
        if image is None:
            raise ImageNotFound(f"no such image: {reference}")
        return image

    def get(
        self, reference: str, params: Any = None, stream: bool = False, timeout: Any = None
    ) -> Any:
        """Answer `client.images.get`, and `client.api.get` of an archive of several images."""
        if params is None:
            return self._find(reference)
        assert (stream, timeout) == (True, None)
        assert reference == f"{self.base_url}/v{self.api_version}/images/get"
        images = [self._find(name) for name in params["names"]]
        self.saves.append(" ".join(params["names"]))
        return FakeResponse(joined(image.archive for image in images), self.chunk)

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


class RegistryEngine:
    """A client whose engine asks a registry; `answer` is raised, None means that it is served."""

    def __init__(self) -> None:
        self.images = self
        self.answer: Exception | None = None
        self.references: list[str] = []
        self.closed = False

    def connect(self, timeout: int = 60) -> Self:
        """Stand for scripts.engine.client.connect."""
        assert timeout == 5
        return self

    def get_registry_data(self, image: str) -> object:
        self.references.append(image)
        if self.answer:
            raise self.answer
        return object()

    def close(self) -> None:
        self.closed = True


def as_file(source: object) -> IO[bytes]:
    """Return a source of bytes as what readers of layers take: they only call `read`."""
    return cast(IO[bytes], source)


def program(folder: Path, name: str, script: str) -> Path:
    """Write an executable shell script."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    return path


def run_git(*words: str) -> str:
    """Return the output of `git WORDS` in the working directory; commits are of one time."""
    settings = ["-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *settings, *words],
        env={**os.environ, "GIT_COMMITTER_DATE": "2024-05-06T07:08:09+02:00"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
