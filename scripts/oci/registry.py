"""Images in a registry, without an engine and without pulling what is not asked for.

The protocol: https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import ipaddress
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import urlsplit

import requests
from requests.auth import HTTPBasicAuth
from urllib3.exceptions import HTTPError

from scripts.common import settings
from scripts.common.deadline import within
from scripts.common.errors import RegistryError
from scripts.engine import client as engine
from scripts.engine import logins
from scripts.oci.layer import Layer
from scripts.oci.manifest import ACCEPTED, MAX_DOCUMENT, Document, Image, digest_of, resolve

# seconds without an answer
TIMEOUT = 30
# seconds for a JSON document from its first byte to its last
WHOLE_SECONDS = 90
# a layer may take as long, and as much more as its bytes take at this many a second; an hour
# at most, whatever size is announced
SLOWEST = 100_000
HOUR = 3600
TIP = "check the name, the network and `docker login`"
_NAME = re.compile(
    r"(?P<host>[A-Za-z0-9.-]+(:\d+)?|\[[0-9a-fA-F:]+\](:\d+)?)"
    r"/(?P<name>[a-z0-9]+([._/-]+[a-z0-9]+)*)"
    r"(:(?P<tag>\w[\w.-]{0,127}))?(@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True)
class Repository:
    """One repository of a registry, with the session that may read it."""

    reference: str
    host: str
    name: str
    session: requests.Session

    @property
    def where(self) -> str:
        """How messages begin."""
        return f'registry: "{self.reference}"'

    def document(self, kind: str, reference: str) -> bytes:
        """Return a JSON document, not yet checked: of "manifests" by tag or digest, of "blobs"."""
        headers = {"Accept": ACCEPTED} if kind == "manifests" else {}

        def read() -> bytes:
            with self.answer(f"{kind}/{reference}", headers) as response:
                return self._bounded(response)

        try:
            return within(WHOLE_SECONDS, read)
        except TimeoutError as error:
            raise RegistryError(f"{self.where}: {error}", TIP) from error

    @contextmanager
    def answer(self, path: str, headers: Mapping[str, str] | None = None) -> Iterator[Any]:
        """Ask for `path`, with a token when the registry wants one. Raises SutraError."""
        scheme = "http" if _is_loopback(self.host) else "https"
        url = f"{scheme}://{self.host}/v2/{self.name}/{path}"
        try:
            response = self.session.get(url, headers=headers, timeout=TIMEOUT, stream=True)
            if response.status_code == 401 and self._log_in(response):
                response.close()
                response = self.session.get(url, headers=headers, timeout=TIMEOUT, stream=True)
            with response:
                if response.status_code != 200:
                    raise RegistryError(
                        f"{self.where}: {response.status_code} {response.reason} for {path}", TIP
                    )
                yield response
        except (requests.RequestException, HTTPError) as error:
            raise RegistryError(f"{self.where}: {engine.reason(error)}", TIP) from error

    def _bounded(self, response: requests.Response) -> bytes:
        data: bytes = response.raw.read(MAX_DOCUMENT + 1, decode_content=True)
        if len(data) > MAX_DOCUMENT:
            raise RegistryError(f"{self.where}: more than {MAX_DOCUMENT} bytes of JSON", TIP)
        return data

    def _log_in(self, refusal: requests.Response) -> bool:
        """Make the session answer a challenge; say whether another try makes sense."""
        challenge = refusal.headers.get("WWW-Authenticate", "")
        login = logins.credentials(self.host)
        if challenge.lower().startswith("basic") and login:
            self.session.auth = HTTPBasicAuth(*login)
            return True
        fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        realm = fields.get("realm", "")
        place = urlsplit(realm)
        if place.scheme != "https" and not _is_loopback(place.netloc):
            return False  # a login is not sent in clear over a network
        query = {"service": fields.get("service", ""), "scope": f"repository:{self.name}:pull"}
        with self._ask_token(realm, query, login) as answer:
            if answer.status_code != 200:
                return False
            document = Document.parse(f"{self.where}: token", self._bounded(answer))
        token = document.value.get("token") or document.value.get("access_token")
        self.session.headers["Authorization"] = f"Bearer {token}"
        return True

    def _ask_token(
        self, realm: str, query: Mapping[str, str], login: tuple[str, str] | None
    ) -> requests.Response:
        """Ask the registry's token service, by name and password or by an identity token."""
        if login and login[0] == logins.TOKEN_USER:
            form = {**query, "grant_type": "refresh_token", "refresh_token": login[1]}
            form["client_id"] = "sutra"
            return self.session.post(realm, data=form, timeout=TIMEOUT, stream=True)
        return self.session.get(realm, params=query, auth=login, timeout=TIMEOUT, stream=True)


def find(reference: str) -> tuple[Image, Repository]:
    """Return the image that "host/name:tag" names, and where its layers are.

    Only manifest and config are read. Raises SutraError.
    """
    named = _NAME.fullmatch(reference)
    if not named:
        raise RegistryError(f'registry: not a reference "{reference}"', "name it as host/name:tag")
    session = requests.Session()
    session.verify = settings.ca_bundle(os.environ) or True
    repository = Repository(reference, named["host"], named["name"], session)
    data = repository.document("manifests", named["digest"] or named["tag"] or "latest")
    digest = digest_of(data)
    if named["digest"] and named["digest"] != digest:
        raise RegistryError(f"{repository.where}: content is not that of its digest", TIP)
    document = Document.parse(f"{repository.where}: manifest", data)
    return resolve(repository.where, document, digest, repository.document), repository


def blobs(
    found: Image, repository: Repository, known: Mapping[str, Layer]
) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the layers that are not known, as they come from the registry."""
    for diff_id, blob in zip(found.diff_ids, found.layers, strict=True):
        if diff_id not in known:
            with repository.answer(f"blobs/{blob.digest}") as response:
                seconds = min(WHOLE_SECONDS + blob.size / SLOWEST, HOUR)
                body: Any = _Body(response.raw, repository.where, seconds)
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


def _is_loopback(host: str) -> bool:
    """Say whether a registry may be spoken to in clear, as Docker does for these."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
