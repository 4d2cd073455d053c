"""A stand-in for an engine of another version: it answers pings and its version, no more."""

from __future__ import annotations

import json
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.support.running import served


@contextmanager
def old_engine(socket: Path, version: str) -> Iterator[str]:
    """Serve the engine API's `/_ping` and `/version` on a unix socket; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"Version": version, "ApiVersion": "1.41", "MinAPIVersion": "1.12"})
            answer = b"OK" if self.path.endswith("/_ping") else body.encode()
            self.send_response(200)
            self.send_header("Api-Version", "1.41")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(answer)

        do_HEAD = do_GET  # noqa: N815 # the name that http.server asks for

        def address_string(self) -> str:
            return "unix"

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = socketserver.ThreadingUnixStreamServer(str(socket), Handler)
    server.daemon_threads = True
    with served(server):
        yield f"unix://{socket}"
