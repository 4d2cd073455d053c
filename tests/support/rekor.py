"""A transparency log on loopback that answers as Rekor does: entries, and promises that it signs.

It keeps no tree: cosign verifies the promise (SignedEntryTimestamp) by the log's key.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.running import served

INTEGRATED = 1_700_000_000


@dataclass
class Rekor:
    """The log: `answer` is sent in place of an entry (status, body) where a test sets it.

    With `conflict` it has an entry already, and says where; `is_circle`: each place names the next.
    """

    folder: Path
    address: str = ""
    entries: list[dict[str, Any]] = field(default_factory=list)
    answer: tuple[int, bytes] | None = None
    conflict: bool = False
    is_circle: bool = False

    @property
    def public(self) -> Path:
        """Return the file with the log's public key."""
        return self.folder / "rekor.pub"

    def make_key(self) -> None:
        """Make the key of the log."""
        key = self.folder / "rekor.key"
        curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        self._openssl("genpkey", *curve, "-out", str(key))
        self._openssl("pkey", "-in", str(key), "-pubout", "-out", str(self.public))

    def _openssl(self, *words: str, stdin: bytes = b"") -> bytes:
        done = subprocess.run(["openssl", *words], input=stdin, capture_output=True, check=True)
        return done.stdout

    def record(self, proposed: dict[str, Any]) -> dict[str, Any]:
        """Return the entry of what was proposed, with the log's promise to keep it."""
        spec = proposed["spec"]
        if proposed["kind"] == "dsse":
            spec = canonical_dsse(spec["proposedContent"])
        body = encoded({**proposed, "spec": spec})
        der = self._openssl("pkey", "-pubin", "-in", str(self.public), "-outform", "DER")
        payload = {
            "body": base64.b64encode(body).decode(),
            "integratedTime": INTEGRATED,
            "logID": hashlib.sha256(der).hexdigest(),
            "logIndex": len(self.entries),
        }
        key = str(self.folder / "rekor.key")
        promise = self._openssl("dgst", "-sha256", "-sign", key, stdin=encoded(payload))
        signed = {"signedEntryTimestamp": base64.b64encode(promise).decode()}
        self.entries.append(proposed)
        return {hashlib.sha256(body).hexdigest(): {**payload, "verification": signed}}


def canonical_dsse(content: dict[str, Any]) -> dict[str, Any]:
    """Return what Rekor keeps of an envelope: hashes, and each signature with its verifier."""
    envelope = json.loads(content["envelope"])
    [verifier] = content["verifiers"]
    return {
        "envelopeHash": hashed(content["envelope"].encode()),
        "payloadHash": hashed(base64.b64decode(envelope["payload"])),
        "signatures": [
            {"signature": signature["sig"], "verifier": verifier}
            for signature in envelope["signatures"]
        ],
    }


def hashed(data: bytes) -> dict[str, str]:
    """Return a hash in Rekor's form."""
    return {"algorithm": "sha256", "value": hashlib.sha256(data).hexdigest()}


def encoded(value: object) -> bytes:
    """Return canonical JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@contextmanager
def serving(folder: Path) -> Iterator[Rekor]:
    """Yield a new log, served on loopback until the end."""
    folder.mkdir(parents=True, exist_ok=True)
    log = Rekor(folder)
    log.make_key()
    kept: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/api/v1/log/publicKey":
                self.reply(200, log.public.read_bytes())
            elif log.is_circle:
                self.reply(409, b"{}", self.path)
            elif self.path in kept:
                self.reply(200, kept[self.path])
            else:
                self.reply(404, b"")

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            if log.answer:
                self.reply(*log.answer)
                return
            entry = encoded(log.record(json.loads(data)))
            if log.conflict:
                path = f"/api/v1/log/entries/{len(kept)}"
                kept[path] = entry
                self.reply(409, b"{}", path)
                return
            self.reply(201, entry)

        def reply(self, status: int, data: bytes, location: str = "") -> None:
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    log.address = f"http://127.0.0.1:{server.server_address[1]}"
    with served(server):
        yield log
