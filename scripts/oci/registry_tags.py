"""A registry's tags: read, and moved to a digest that is there already.

Blobs are the engine's to push (`engine.push`). Tags are moved by the registry's HTTP API
(OCI distribution specification 1.1), byte for byte the manifest that has the digest:
a pull and a push may change it (docker/cli#3394). Trust is the engine's: its insecure
registries, the certificates in /etc/docker/certs.d, else the system's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urljoin, urlsplit

import requests

from scripts.common import platforms
from scripts.common import reference as references
from scripts.common.errors import RegistryError
from scripts.common.text import escaped
from scripts.engine import client as engine
from scripts.engine import registries
from scripts.oci.manifest import ACCEPTED, digest_of
from scripts.oci.registry_session import FORM, WIRE, OverlongError, Request, Session

PAGES = 1000
SERVER_ERROR = 500
# HTTP: what registries answer to a manifest of a type that they do not know
NO_INDEX = (400, 404, 405, 415, 422)


class CannotDeleteError(RegistryError):
    """The registry takes no tag away; most do not."""


def check(address: str) -> str:
    """Return `address` ("host:port/path") if it is one, else raise SutraError."""
    if not references.is_place(address):
        raise RegistryError(
            f'REGISTRY: not host/path "{escaped(address)}"', "such as REGISTRY=localhost:5000/me"
        )
    return address


class Registry:
    """One registry, and the path below which images get their repositories."""

    def __init__(self, client: engine.Client, address: str) -> None:
        self.address = check(address)
        self.host, _, path = address.partition("/")
        self._path = path
        server = registries.registry_server(client, self.host)
        insecure = registries.is_insecure(client, self.host)
        self._session = Session(self.host, "pull,push", insecure, server)
        _ = self._session.login  # one that cannot be read ends it here

    def place(self, image: str) -> str:
        """Return the repository of an image: "host:port/path/sutra-api".

        The platforms of an image share it: an index can name nothing outside its own.
        """
        return f"{self.address}/{platforms.image_of(image)}"

    def reference(self, image: str, tag: str) -> str:
        """Return the whole name of a tag: "host:port/path/sutra-api:1.4"."""
        return f"{self.place(image)}:{tag}"

    def digest(self, reference: str) -> str | None:
        """Return the digest that a tag is on, None when there is no such tag."""
        stored = self._manifest(*self._split(reference))
        return stored[0] if stored else None

    def tags(self, image: str) -> set[str]:
        """Return all tags of an image, none when the registry does not know it."""
        repository = self._repository(image)
        names: set[str] = set()
        path, shown = f"/v2/{repository}/tags/list", f'list the tags of "{self.place(image)}"'
        for _ in range(PAGES):
            answer, body = self._ask("GET", path, repository)
            if answer.status_code == 404:
                return names
            self._expect(answer, 200, shown)
            try:
                names |= {str(tag) for tag in json.loads(body)["tags"] or []}
            except (ValueError, KeyError, TypeError) as error:
                raise self._error(shown, "its answer cannot be read") from error
            following = answer.links.get("next", {}).get("url")
            if not following:
                return names
            path = urljoin(path, following)
        raise self._error(shown, "it has no end")

    def move(self, reference: str, digest: str) -> None:
        """Put a tag on the manifest that has `digest` in the same repository."""
        repository, tag = self._split(reference)
        stored = self._manifest(repository, digest)
        if stored is None:
            raise RegistryError(
                f'registry: digest no longer exists "{self.host}/{repository}@{digest}"',
                "`make promote` pushes what is verified again",
            )
        _, kind, body = stored
        answer = self._put(repository, tag, kind, body)
        self._expect(answer, 201, f'tag "{reference}"')
        self._require_kept(reference, digest, body)

    def manifest(self, reference: str, digest: str) -> bytes:
        """Return the bytes of the manifest of `digest`, in the repository of `reference`."""
        stored = self._manifest(self._split(reference)[0], digest)
        if stored is None:
            raise self._error(f'read "{reference}"', f"{digest} is not there")
        return stored[2]

    def has(self, reference: str, digest: str) -> bool:
        """Return whether the repository of `reference` has a manifest of `digest`."""
        return self._manifest(self._split(reference)[0], digest) is not None

    def put_by_digest(self, reference: str, digest: str, kind: str, body: bytes) -> None:
        """Put a manifest into the repository of `reference`, under its digest alone."""
        repository, _ = self._split(reference)
        answer = self._put(repository, digest, kind, body)
        self._expect(answer, 201, f'push {digest} to "{reference}"')

    def put_index(self, reference: str, digest: str, kind: str, body: bytes) -> None:
        """Put an index into the repository of `reference`, under its digest alone."""
        repository, _ = self._split(reference)
        answer = self._put(repository, digest, kind, body)
        if answer.status_code in NO_INDEX:
            raise RegistryError(
                f'registry: takes no index of several platforms "{self.host}/{repository}": '
                f"{answer.status_code} {answer.reason}",
                f"promote to a registry that does, or one platform alone: without {platforms.KNOB}",
            )
        self._expect(answer, 201, f'push {digest} to "{reference}"')

    def blob(self, reference: str, digest: str) -> bytes:
        """Return a small blob, such as a config, checked by its digest."""
        repository, _ = self._split(reference)
        answer, body = self._ask("GET", f"/v2/{repository}/blobs/{digest}", repository)
        self._expect(answer, 200, f'read {digest} of "{reference}"')
        if digest_of(body) != digest:
            raise self._error(f'read {digest} of "{reference}"', "its bytes are others")
        return body

    def has_blob(self, reference: str, digest: str) -> bool:
        """Return whether the repository of `reference` has a blob."""
        repository, _ = self._split(reference)
        answer, _ = self._ask("HEAD", f"/v2/{repository}/blobs/{digest}", repository)
        return bool(answer.status_code == 200)

    def upload(self, reference: str, digest: str, data: bytes) -> None:
        """Put a blob into the repository of `reference`, whole and in one request."""
        repository, _ = self._split(reference)
        what = f'push {digest} to "{reference}"'
        answer, _ = self._ask("POST", f"/v2/{repository}/blobs/uploads/", repository, b"")
        self._expect(answer, 202, what)
        place = urlsplit(urljoin(answer.url, answer.headers.get("Location", "")))
        if place.netloc != urlsplit(answer.url).netloc:
            raise self._error(what, f'it takes uploads at another host, "{place.netloc}"')
        query = "&".join(filter(None, (place.query, f"digest={digest}")))
        kind = {"Content-Type": "application/octet-stream"}
        request = Request("PUT", f"{place.path}?{query}", repository, data, kind)
        with self._reached(f"PUT {place.path}"), self._session.open(request) as stored:
            self._expect(stored, 201, what)

    def _require_kept(self, reference: str, digest: str, body: bytes) -> None:
        """Raise SutraError unless a tag that was just put there is read back, byte for byte."""
        stored = self._manifest(*self._split(reference))
        if stored is None or stored[2] != body:
            raise self._error(
                f'tag "{reference}"',
                f"it was put on {digest} and is on {stored[0] if stored else '(none)'}",
            )

    def remove(self, reference: str) -> None:
        """Take a tag away. Raises CannotDeleteError where the registry does not do that."""
        repository, tag = self._split(reference)
        answer, _ = self._ask("DELETE", f"/v2/{repository}/manifests/{tag}", repository)
        if answer.status_code == 404 and self.digest(reference) is None:
            return
        if answer.status_code in (400, 404, 405):
            raise CannotDeleteError(f'registry: does not remove tags "{reference}"')
        self._expect(answer, 202, f'remove the tag "{reference}"')

    def _put(self, repository: str, name: str, kind: str, body: bytes) -> requests.Response:
        """Put a manifest under a tag or a digest; return the answer, whatever it says."""
        path = f"/v2/{repository}/manifests/{name}"
        return self._ask("PUT", path, repository, body, {"Content-Type": kind})[0]

    def _repository(self, image: str) -> str:
        return "/".join(filter(None, (self._path, platforms.image_of(image))))

    def _split(self, reference: str) -> tuple[str, str]:
        named = references.parse(reference, has_registry=True)
        return named.repository, named.tag

    def _manifest(self, repository: str, name: str) -> tuple[str, str, bytes] | None:
        """Return digest, media type and bytes of a manifest by tag or digest, or None."""
        path = f"/v2/{repository}/manifests/{name}"
        answer, body = self._ask("GET", path, repository, headers={"Accept": ACCEPTED})
        if answer.status_code == 404:
            return None
        shown = f'read "{self.host}/{repository}:{name}"'
        if answer.status_code == SERVER_ERROR and not name.startswith("sha256:"):
            raise self._damaged(shown, repository, name)
        self._expect(answer, 200, shown)
        digest = digest_of(body)
        announced = (
            name if name.startswith("sha256:") else answer.headers.get("Docker-Content-Digest")
        )
        if announced not in (None, digest):
            raise self._error(shown, f"its bytes are {digest}")
        if not _is_object(body):  # a portal or a proxy answers 200 with its own page
            raise self._error(shown, "its answer is no manifest")
        return digest, answer.headers.get("Content-Type", ""), body

    # --- the wire -----------------------------------------------------------

    def _ask(
        self,
        method: str,
        path: str,
        repository: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[requests.Response, bytes]:
        """Return one answer and its body."""
        with self._reached(f"{method} {urlsplit(path).path}"):
            return self._session.read(Request(method, path, repository, body, headers))

    @contextmanager
    def _reached(self, what: str) -> Iterator[None]:
        """Turn what can go wrong on the wire into one clear line."""
        try:
            yield
        except OverlongError as error:
            raise self._error(what, str(error)) from error
        except WIRE as error:
            raise RegistryError(
                f'registry: no answer from "{self.host}" ({engine.reason(error)})',
                "check the name, the network and its certificate, then run the same command again",
            ) from error
        except FORM as error:
            raise self._error(what, "its answer cannot be read") from error

    def _expect(self, answer: requests.Response, status: int, what: str) -> None:
        if answer.status_code == status:
            return
        if answer.status_code in (401, 403):
            raise RegistryError(
                f"registry: cannot {what}: {answer.status_code} {answer.reason}",
                f"`docker login {self.host}`, then run the same command again",
            )
        raise self._error(what, f"{answer.status_code} {answer.reason}")

    def _damaged(self, what: str, repository: str, tag: str) -> RegistryError:
        """Return the error for a tag that cannot be read; a registry killed at it leaves one."""
        local = f"{repository.rpartition('/')[2]}:{tag}"
        remote = f"{self.host}/{repository}:{tag}"
        return RegistryError(
            f"registry: cannot {what}: 500 Internal Server Error",
            "retry; if it persists, the registry was killed while it wrote that tag: "
            f"`docker tag {local} {remote} && docker push {remote}` writes it again",
        )

    def _error(self, what: str, reason: str) -> RegistryError:
        return RegistryError(
            f"registry: cannot {what}: {reason}", "retry, or ask the registry's administrators"
        )


def _is_object(body: bytes) -> bool:
    """Return whether it is a JSON object, as every manifest is."""
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False
