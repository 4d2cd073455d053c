"""HTTP sessions with registries, for reading and for tagging: trust, logins, time limits.

Proxies are the environment's. Trust is the engine's: the certificates in /etc/docker/certs.d,
else CA_BUNDLE, else the system's. Logins are Docker's, never those of ~/.netrc, and are sent in
clear over no network.
The tokens: Docker's "Token Authentication Specification".
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import parse_http_list, parse_keqv_list

import requests
from urllib3.exceptions import HTTPError, InsecureRequestWarning

from scripts.common import settings
from scripts.common.deadline import within
from scripts.engine import logins
from scripts.oci.manifest import MAX_DOCUMENT

CERTIFICATES = Path("/etc/docker/certs.d")
SECONDS = (10, 60)  # to connect, and for each part of an answer
WHOLE_SECONDS = 90  # for an answer from its first byte to its last
UNAUTHORIZED = 401
# exceptions of a request: WIRE for the transport, FORM for an unexpected answer
WIRE = (requests.RequestException, HTTPError, OSError)
# a challenge such as "Bearer realm=" ends `parse_keqv_list` with an IndexError
FORM = (ValueError, LookupError, TypeError, AttributeError)

Answer = requests.Response


@dataclass(frozen=True)
class Request:
    """One request to a registry; a login is asked for its `repository`."""

    method: str
    path: str
    repository: str
    body: bytes | None = None
    headers: Mapping[str, str] | None = None


class Session:
    """The requests to one registry.

    `actions` are what tokens are asked for: "pull", or "pull,push". An `insecure` one needs no
    certificate, and may speak no TLS. `server` is who serves the API, where it is not `host`.
    """

    def __init__(self, host: str, actions: str, insecure: bool, server: str = "") -> None:
        self.host, self._server, self._actions = host, server or host, actions
        self._insecure = insecure
        self._schemes = ["https", "http"] if insecure else ["https"]
        self._session = _requests(trusted(host, insecure))

    @cached_property
    def login(self) -> tuple[str, str] | None:
        """The login that Docker keeps for this registry. Raises SutraError for a damaged one."""
        return logins.credentials(self.host)

    def read(self, request: Request) -> tuple[Answer, bytes]:
        """Return one answer and its body. Raises WIRE, or ValueError for one that is too long."""

        def ask() -> tuple[Answer, bytes]:
            with self.open(request) as answer:
                return answer, _bounded(answer)

        return within(WHOLE_SECONDS, ask)

    def open(self, request: Request) -> Answer:
        """Return one answer, its body not yet read, logged in where the registry asks for it."""
        answer = self._send(request)
        if answer.status_code != UNAUTHORIZED:
            return answer
        try:
            logged_in = self._log_in(answer, request.repository)
        except BaseException:
            answer.close()
            raise
        if not logged_in:
            return answer
        answer.close()
        return self._send(request)

    def _send(self, request: Request) -> Answer:
        while True:
            url = f"{self._schemes[0]}://{self._server}{request.path}"
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", InsecureRequestWarning)  # the engine's choice
                    return self._session.request(
                        request.method,
                        url,
                        data=request.body,
                        headers=request.headers,
                        timeout=SECONDS,
                        stream=True,
                        proxies=proxies(url),
                    )
            except requests.exceptions.SSLError:
                if len(self._schemes) == 1:
                    raise
                self._schemes.pop(0)  # an insecure one may speak no TLS at all

    def _log_in(self, refused: Answer, repository: str) -> bool:
        """Set what the next request is authorized by; return whether there is anything."""
        kind, _, challenge_text = refused.headers.get("WWW-Authenticate", "").partition(" ")
        if kind.lower() == "basic" and self.login:
            self._session.auth = self.login
            return True
        if kind.lower() != "bearer":
            return False
        challenge = parse_keqv_list(parse_http_list(challenge_text))
        realm = challenge["realm"]
        if not self._may_send_to(realm):
            return False
        scope = f"repository:{repository}:{self._actions}"
        token = self._token(realm, {"service": challenge.get("service", ""), "scope": scope})
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"
        return bool(token)

    def _may_send_to(self, realm: str) -> bool:
        """Return whether a login may go there: by TLS, on this machine, or to the insecure one."""
        place = urlsplit(realm)
        if place.scheme == "https" or is_loopback(place.netloc):
            return True
        return self._insecure and place.netloc == self._server

    def _token(self, realm: str, form: dict[str, str]) -> str:
        """Return what the token service gives for a login or to anybody, "" where it refuses."""
        with _requests(self._session.verify) as session:
            session.proxies = proxies(realm)
            if self.login and self.login[0] == logins.TOKEN_USER:
                form |= {"grant_type": "refresh_token", "refresh_token": self.login[1]}
                form["client_id"] = "sutra"
                answer = session.post(realm, data=form, timeout=SECONDS, stream=True)
            else:
                answer = session.get(
                    realm, params=form, auth=self.login, timeout=SECONDS, stream=True
                )
            with answer:
                if answer.status_code != requests.codes.ok:
                    return ""
                token = json.loads(_bounded(answer))
        return _sendable(token.get("token") or token["access_token"])


def trusted(host: str, insecure: bool) -> str | bool:
    """Return what `requests` takes as `verify`: a file of certificates, or whether to check."""
    own = CERTIFICATES / host / "ca.crt"
    if own.is_file():
        return str(own)
    return not insecure and (settings.ca_bundle(os.environ) or True)


def is_loopback(host: str) -> bool:
    """Return whether a registry may be spoken to in clear, as Docker does for these."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def proxies(url: str) -> dict[str, str]:
    """Return the environment's proxies for an address, none for one of this machine."""
    if is_loopback(urlsplit(url).netloc):
        return {}
    return dict(requests.utils.get_environ_proxies(url))


def _sendable(token: str) -> str:
    """Return a token that a header can hold; `requests` would quote another in its message."""
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise ValueError("not a token")
    return token


def _requests(verify: Any) -> requests.Session:
    """Return a session that takes no login from ~/.netrc: Docker's are elsewhere."""
    session = requests.Session()
    session.trust_env, session.verify = False, verify
    return session


def _bounded(answer: Answer) -> bytes:
    data: bytes = answer.raw.read(MAX_DOCUMENT + 1, decode_content=True)
    if len(data) > MAX_DOCUMENT:
        raise OverlongError(f"more than {MAX_DOCUMENT} bytes")
    return data


class OverlongError(ValueError):
    """An answer is longer than any document may be."""
