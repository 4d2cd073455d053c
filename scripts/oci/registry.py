"""Images in a registry, without an engine and without pulling what is not asked for.

The protocol: https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import requests
from urllib3.exceptions import HTTPError

from scripts.common import reference as references
from scripts.common.errors import RegistryError
from scripts.engine import client as engine
from scripts.oci import registry_session
from scripts.oci.layer import Layer
from scripts.oci.manifest import ACCEPTED, Document, Image, digest_of, resolve
from scripts.oci.registry_session import (
    FORM,
    WIRE,
    Answer,
    OverlongError,
    Request,
    Session,
    is_loopback,
)

# a layer may take as long, and as much more as its bytes take at this many a second; an hour
# at most, whatever size is announced
SLOWEST = 100_000
HOUR = 3600
TIP = "check the name, the network and `docker login`"
# who serves the API of the registry that names without a host mean
DEFAULT_SERVER = "registry-1.docker.io"


@dataclass(frozen=True)
class Repository:
    """One repository of a registry, with the session that may read it."""

    reference: str
    name: str
    session: Session

    @property
    def where(self) -> str:
        """How messages begin."""
        return f'registry: "{self.reference}"'

    def document(self, kind: str, reference: str) -> bytes:
        """Return a JSON document, not yet checked: of "manifests" by tag or digest, of "blobs"."""
        headers = {"Accept": ACCEPTED} if kind == "manifests" else {}
        path = f"{kind}/{reference}"
        with self._explained():
            answer, data = self.session.read(self._get(path, headers))
            self._expect_found(answer, path)
            return data

    @contextmanager
    def layer(self, digest: str) -> Iterator[Any]:
        """Open the bytes of a blob."""
        path = f"blobs/{digest}"
        with self._explained():
            answer = self.session.open(self._get(path))
        with answer:
            self._expect_found(answer, path)
            yield answer.raw

    def _get(self, path: str, headers: Mapping[str, str] | None = None) -> Request:
        return Request("GET", f"/v2/{self.name}/{path}", self.name, headers=headers)

    def _expect_found(self, answer: Answer, path: str) -> None:
        if answer.status_code != requests.codes.ok:
            raise RegistryError(
                f"{self.where}: {answer.status_code} {answer.reason} for {path}", TIP
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what can go wrong on the wire into one clear line."""
        try:
            yield
        except OverlongError as error:
            raise RegistryError(f"{self.where}: {error} of JSON", TIP) from error
        except WIRE as error:
            raise RegistryError(f"{self.where}: {engine.reason(error)}", TIP) from error
        except FORM as error:  # a challenge, token or redirection that is malformed
            raise RegistryError(f"{self.where}: its answer cannot be read", TIP) from error


def find(reference: str) -> tuple[Image, Repository]:
    """Return the image that "host/name:tag" names, and where its layers are.

    Only manifest and config are read. Raises SutraError.
    """
    named = _parsed(reference)
    repository = Repository(reference, named.repository, _session(named.registry))
    data = repository.document("manifests", named.digest or named.tag or "latest")
    digest = digest_of(data)
    if named.digest not in ("", digest):
        raise RegistryError(f"{repository.where}: content is not that of its digest", TIP)
    document = Document.parse(f"{repository.where}: manifest", data)
    return resolve(repository.where, document, digest, repository.document), repository


def _parsed(reference: str) -> references.Reference:
    try:
        return references.parse(reference, has_registry=True)
    except references.BadReferenceError as error:
        raise RegistryError(
            f'registry: not a reference "{reference}"', "name it as host/name:tag"
        ) from error


def _session(host: str) -> Session:
    """Return a session that may pull.

    No engine is asked: by its own default registries of this machine need no certificate.
    """
    server = DEFAULT_SERVER if host == references.DEFAULT_REGISTRY else ""
    return Session(host, "pull", insecure=is_loopback(host), server=server)


def blobs(
    image: Image, repository: Repository, known_layers: Mapping[str, Layer]
) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the layers that are not known, as they come from the registry."""
    for diff_id, blob in zip(image.diff_ids, image.layers, strict=True):
        if diff_id not in known_layers:
            with repository.layer(blob.digest) as raw:
                seconds = min(registry_session.WHOLE_SECONDS + blob.size / SLOWEST, HOUR)
                body: Any = _Body(raw, repository.where, seconds)
                yield blob.digest, body


class _Body:
    """The bytes of an answer; one that breaks off or never ends is a SutraError."""

    def __init__(self, raw: Any, where: str, seconds: float) -> None:
        self._raw, self._where, self._seconds = raw, where, seconds
        self._end = time.monotonic() + seconds

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer only at the end."""
        parts: list[bytes] = []
        while size > 0 and (part := self._some(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _some(self, size: int) -> bytes:
        """Return what has come, up to `size` bytes: waiting for all of them has no end."""
        if time.monotonic() > self._end:
            raise RegistryError(f"{self._where}: no whole layer in {self._seconds:.0f} s", TIP)
        try:
            return bytes(self._raw.read1(size))
        except (HTTPError, OSError) as error:
            raise RegistryError(f"{self._where}: {engine.reason(error)}", TIP) from error
