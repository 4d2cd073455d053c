"""A registry on loopback that serves images from memory; all connections share one rate."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from scripts.bench.serving import serving
from scripts.bench.twin import MANIFEST, Twin
from scripts.oci.manifest import digest_of

CHUNK = 1 << 16


class Pace:
    """Bytes a second, of all connections together."""

    def __init__(self, rate: int) -> None:
        """Begin with the first byte."""
        self.rate = rate
        self._lock = threading.Lock()
        self._free_at = 0.0

    def wait(self, count: int) -> None:
        """Return as soon as the rate allows `count` more bytes."""
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic()) + count / self.rate
            due = self._free_at
        time.sleep(max(0.0, due - time.monotonic()))


class _Answer(NamedTuple):
    """`digest` is known beforehand: to hash a layer takes time, which a pull would wait for."""

    kind: str
    data: bytes
    digest: str = ""


NOT_FOUND = _Answer("text/plain", b"")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, images: Mapping[str, Twin], rate: int, sent: Counter[str]) -> None:
        self.pace, self.sent = Pace(rate), sent
        self.answers = {"/v2/": _Answer("application/json", b"{}")}
        for name, image in images.items():
            digest = digest_of(image.manifest)
            answer = _Answer(MANIFEST, image.manifest, digest)
            for reference in ("latest", digest):
                self.answers[f"/v2/{name}/manifests/{reference}"] = answer
            for blob, data in image.blobs.items():
                answer = _Answer("application/octet-stream", data, blob)
                self.answers[f"/v2/{name}/blobs/{blob}"] = answer
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # an engine asks by TLS first, and goes on without it where the answer is HTTP's
    default_request_version = "HTTP/1.1"
    server: _Server

    def do_HEAD(self) -> None:  # http.server's name
        self._head()

    def do_GET(self) -> None:  # http.server's name
        data = self._head()
        for start in range(0, len(data), CHUNK):
            part = data[start : start + CHUNK]
            self.server.pace.wait(len(part))
            # counted first: a client that has all bytes may read the count immediately
            self.server.sent[self.path] += len(part)
            self.wfile.write(part)

    def _head(self) -> bytes:
        """Send status and headers; return the body."""
        answer = self.server.answers.get(self.path, NOT_FOUND)
        self.send_response(HTTPStatus.NOT_FOUND if answer is NOT_FOUND else HTTPStatus.OK)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.data)))
        if answer.digest:
            self.send_header("Docker-Content-Digest", answer.digest)
        self.end_headers()
        return answer.data

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def served(
    images: Mapping[str, Twin], rate: int, sent: Counter[str] | None = None
) -> AbstractContextManager[str]:
    """Serve images by name, each as `:latest`; the context is the registry's "host:port".

    `sent` gets the bytes of each path that were sent.
    """
    return serving(_Server(images, rate, Counter() if sent is None else sent))
