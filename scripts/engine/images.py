"""Images of the engine: inspected, saved, loaded, tagged and removed."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import IO, Any

import docker
from docker.constants import DEFAULT_DATA_CHUNK_SIZE
from docker.errors import (
    APIError,
    ImageNotFound,
    NotFound,
)

from scripts.common import reference as references
from scripts.common.errors import EngineError
from scripts.engine import client as engine
from scripts.engine.read_ahead import Ahead

# answers to one list of images until it is given up, and seconds between them
LISTINGS = 5
PAUSE = 0.2
# words of an engine that misses what it was just reading, of both stores
GONE = r"not found|does not exist|no such"
# message of an engine for a layer that it has not unpacked
NO_SNAPSHOT = r"snapshot \S+ does not exist"


class NoSuchImageError(EngineError):
    """An image that was there is gone."""


class NotUnpackedError(EngineError):
    """The engine has the image's layers as they are packed, and nothing that it made of them."""


def inspect(client: docker.DockerClient, reference: str) -> dict[str, Any] | None:
    """Return what the engine knows of an image, or None when it does not have it."""
    try:
        with engine.request(f'inspect "{reference}"'):
            return dict(client.images.get(reference).attrs)
    except ImageNotFound:
        return None


def history(client: docker.DockerClient, reference: str) -> list[dict[str, Any]]:
    """Return how an image was made, first step first, in the words of an OCI config.

    Raises NotUnpackedError for an image of another platform that containerd's store keeps packed
    until it is started: the engine asks for the size of each step.
    """
    try:
        with engine.request(f'tell the history of "{reference}"'):
            # types-docker gives `history` no types
            steps: list[dict[str, Any]] = client.api.history(reference)  # type: ignore[no-untyped-call]
    except ImageNotFound as error:
        raise EngineError(f'image no longer exists "{reference}"', "run `make build`") from error
    except EngineError as error:
        if re.search(NO_SNAPSHOT, error.problem):
            raise NotUnpackedError(error.problem, error.tip) from error
        raise
    return [
        {"created_by": step["CreatedBy"], "comment": step["Comment"], "bytes": step["Size"]}
        for step in reversed(steps)
    ]


@contextmanager
def saved(client: docker.DockerClient, *references: str) -> Iterator[Any]:
    """Open `docker save` of images: a file of one tar stream, read once, forwards."""
    shown = " ".join(references)
    try:
        with engine.answering(f'save "{shown}"'):  # what reads the archive explains its damage
            response: Any = (
                _several(client, references)
                if len(references) > 1
                else client.api.get_image(references[0])
            )
            try:
                with Ahead(response) as chunks:
                    yield Stream(chunks)
            finally:
                response.close()
    except ImageNotFound as error:
        raise EngineError(f'image no longer exists "{shown}"', "run `make build`") from error


def _several(client: docker.DockerClient, references: Sequence[str]) -> Iterator[bytes]:
    """Ask for one archive of several images, which the SDK has no call for (API 1.25 and on)."""
    answer = engine.answer(client, "/images/get", {"names": references}, stream=True)
    with closing(answer) as response:
        yield from response.iter_content(DEFAULT_DATA_CHUNK_SIZE)


class Stream:
    """The little of a file that `tarfile` wants, over chunks of bytes."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = iter(chunks)
        self._unread = memoryview(b"")

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer only at the end."""
        parts: list[memoryview] = []
        while size > 0:
            if not self._unread:
                self._unread = memoryview(next(self._chunks, b""))
                if not self._unread:
                    break
            part, self._unread = self._unread[:size], self._unread[size:]
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def read_file(client: engine.Client, reference: str, path: str) -> bytes | None:
    """Return a tar archive with one file of an image, or None when it is not there.

    A container is created for it, never started, and removed.
    """
    with engine.request(f'read "{path}" of "{reference}"'):
        try:
            container = client.containers.create(reference, command=["/nothing"])
        except ImageNotFound:
            return None
        try:
            return b"".join(container.get_archive(path)[0])
        except NotFound:
            return None
        finally:
            container.remove(v=True)


def load(client: engine.Client, archive: IO[bytes]) -> None:
    """Load an archive of `docker save`'s form. Raises SutraError."""
    with engine.request("load an archive"):
        client.images.load(archive)


def tag(client: docker.DockerClient, source: str, target: str) -> None:
    """Move the tag `target` ("sutra-api:prod") to the image `source` (reference or id)."""
    named = references.parse(target)
    try:
        with engine.request(f'tag "{target}"'):
            client.api.tag(source, named.name, named.tag)
    except ImageNotFound as error:
        raise NoSuchImageError(f'image no longer exists "{source}"', "run `make build`") from error


def untag(client: docker.DockerClient, reference: str) -> None:
    """Remove the tag `reference`, if it is there; the image stays while it has another."""
    with suppress(ImageNotFound), engine.request(f'remove the tag "{reference}"'):
        client.api.remove_image(reference, noprune=True)


def every(client: engine.Client, **chosen: Any) -> list[dict[str, Any]]:
    """Return the engine's images, those that the SDK's `images` would list for `chosen`.

    The engine refuses the whole list when somebody removes an image while it reads them, so
    it is asked again. Raises the SDK's error where LISTINGS answers were refusals.
    """
    for _ in range(LISTINGS - 1):
        try:
            return list(client.api.images(**chosen))
        except APIError as error:
            if not re.search(GONE, str(error.explanation)):
                raise
        time.sleep(PAUSE)
    return list(client.api.images(**chosen))


def repository_tags(client: engine.Client, repository: str) -> set[str]:
    """Return all tags of a repository of the engine: {"prod", "latest", "1.4.2"}."""
    with engine.request(f'list the tags of "{repository}"'):
        images = every(client, name=repository)
    named = (references.tagged(text) for image in images for text in image["RepoTags"] or ())
    return {reference.tag for reference in named if reference and reference.name == repository}


def labels(client: engine.Client, reference: str) -> dict[str, str]:
    """Return an image's labels; none of an image that is not there."""
    image = inspect(client, reference) or {}
    return dict((image.get("Config") or {}).get("Labels") or {})


def digests(client: engine.Client, reference: str) -> set[str]:
    """Return the digests under which the engine knows an image in a reference's repository.

    With the containerd store that is the image's own, with the classic one the digest
    that the engine made of it for a push.
    """
    repository = references.parse(reference).name
    return {pinned.digest for pinned in _digests(client, reference) if pinned.name == repository}


def digests_anywhere(client: engine.Client, reference: str) -> set[str]:
    """Return the digests of an image in every repository, none where it never was in one."""
    return {pinned.digest for pinned in _digests(client, reference)}


def _digests(client: engine.Client, reference: str) -> list[references.Reference]:
    image = inspect(client, reference) or {}
    named = map(references.read, image.get("RepoDigests") or ())
    return [pinned for pinned in named if pinned]
