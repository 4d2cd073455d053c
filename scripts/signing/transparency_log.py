"""A transparency log (Rekor) that gets what is signed, where TRANSPARENCY_LOG names one.

Entries are made by Rekor's own API, version 1, and come back with the log's promise to keep them
(SignedEntryTimestamp). Attached as cosign's "bundle", cosign verifies them without asking the log.
Source: https://github.com/sigstore/rekor/blob/main/openapi.yaml; kinds hashedrekord and dsse.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from scripts.common import web
from scripts.common.deadline import within
from scripts.common.errors import SutraError
from scripts.common.text import printable
from scripts.signing.statements import encoded

KNOB = "TRANSPARENCY_LOG"
# annotation of a layer, cosign's
BUNDLE = "dev.sigstore.cosign/bundle"
ENTRIES = "/api/v1/log/entries"
PUBLIC_KEY = "/api/v1/log/publicKey"
# seconds for one answer, and the most bytes of one
SECONDS, MOST = 30.0, 4 << 20
GOOD, CONFLICT = (200, 201), 409
# exceptions for an answer that is no entry
FORM = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
_OFFLINE = f"leave {KNOB} out to sign without a log, or run the same command again"


@dataclass(frozen=True)
class _Answer:
    status: int
    location: str
    data: bytes


@dataclass(frozen=True)
class Log:
    """A log that answers. `address` may hold a login, which is never printed."""

    address: str
    session: requests.Session

    def record_signature(self, payload: bytes, signature: str, public: bytes) -> str:
        """Record the signature of `payload` by the key `public` (PEM); return cosign's bundle."""
        spec = {
            "data": {"hash": {"algorithm": "sha256", "value": _sha256(payload)}},
            "signature": {"content": signature, "publicKey": {"content": _base64(public)}},
        }
        return self._recorded("hashedrekord", spec, (signature, _sha256(payload)))

    def record_envelope(self, envelope: bytes, signature: str, public: bytes) -> str:
        """Record a signed statement in its DSSE envelope; return cosign's bundle."""
        content = {"envelope": envelope.decode(), "verifiers": [_base64(public)]}
        spec = {"proposedContent": content}
        return self._recorded("dsse", spec, (signature, _sha256(envelope)))

    def _recorded(self, kind: str, spec: Mapping[str, Any], words: tuple[str, ...]) -> str:
        entry = {"apiVersion": "0.0.1", "kind": kind, "spec": spec}
        return _bundle(self, self._ask("POST", ENTRIES, encoded(entry)), words)

    def public_key(self) -> bytes:
        """Return the log's key, as PEM. Raises SutraError for a log that does not answer."""
        key = self._ask("GET", PUBLIC_KEY)
        if not key.startswith(b"-----BEGIN PUBLIC KEY-----"):
            raise self.problem("no transparency log: it has no public key")
        return key

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        try:
            answer = within(SECONDS, lambda: self._read(method, path, body))
        except (requests.RequestException, OSError, ValueError) as error:
            why = web.silence(error) or printable(str(error)[:200])
            raise self.problem(why) from error
        is_known = method == "POST" and answer.status == CONFLICT
        if is_known and answer.location.startswith(f"{ENTRIES}/"):
            return self._ask("GET", answer.location)  # recorded already, by a run that was killed
        if answer.status not in GOOD:
            raise self.problem(_refusal(answer))
        return answer.data

    def _read(self, method: str, path: str, body: bytes | None) -> _Answer:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if path == PUBLIC_KEY:
            headers["Accept"] = "application/x-pem-file"
        with self.session.request(
            method,
            self.address + path,
            data=body,
            headers=headers,
            timeout=SECONDS,
            stream=True,
            verify=self.session.verify,  # else REQUESTS_CA_BUNDLE would win
            allow_redirects=False,
        ) as answer:
            data = web.body(answer, MOST)
            return _Answer(answer.status_code, answer.headers.get("Location", ""), data)

    def problem(self, why: str) -> SutraError:
        """Return the one line about a log; nothing is signed then."""
        host = urlsplit(self.address).hostname
        return SutraError(f"{KNOB}: {host}: {why}, nothing is signed", _OFFLINE)


def open_log(address: str, environment: Mapping[str, str]) -> Log | None:
    """Return the log at an address, which has answered; None without an address."""
    if not address:
        return None
    log = Log(address.rstrip("/"), web.session(environment))
    log.public_key()
    return log


def require_key(address: str, sign_key: str) -> None:
    """Raise SutraError for what is no address, and for a log without a key that signs."""
    if not address:
        return
    if not web.is_address(address) or urlsplit(address).query:
        raise SutraError(f"{KNOB}: not an address of http or https", f"{KNOB}=https://…")
    if not sign_key:
        raise SutraError(
            f"{KNOB}: needs SIGN_KEY: a log gets signatures", "such as SIGN_KEY=cosign.key"
        )


def _bundle(log: Log, answer: bytes, words: tuple[str, ...]) -> str:
    """Return cosign's bundle of a log's answer. Raises SutraError for another entry."""
    try:
        [entry] = json.loads(answer).values()
        body, promise = entry["body"], entry["verification"]["signedEntryTimestamp"]
        payload = {
            "body": str(body),
            "integratedTime": int(entry["integratedTime"]),
            "logIndex": int(entry["logIndex"]),
            "logID": str(entry["logID"]),
        }
        text = base64.b64decode(body, validate=True).decode()
        base64.b64decode(promise, validate=True)
    except FORM as error:
        raise log.problem("its answer is no entry of a log") from error
    if not all(word in text for word in words):
        raise log.problem("its entry is of another signature")
    return encoded({"SignedEntryTimestamp": promise, "Payload": payload}).decode()


def _refusal(answer: _Answer) -> str:
    """Return a log's own reason in one line, its status without one."""
    status = f"HTTP {answer.status}"
    try:
        reason = json.loads(answer.data)["message"]
        return f"refused ({status}): {printable(str(reason)[:200])}"
    except (ValueError, LookupError, TypeError, RecursionError):
        return f"refused ({status})"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
