"""Serve a repository of packages as an Alpine mirror does, on the engine's own bridge."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

VERSION = "v3.23"


class Handler(SimpleHTTPRequestHandler):
    """Files of a folder, without a line for each."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class BrokenHandler(Handler):
    """A mirror whose packages stop half way, as when a connection is lost."""

    def copyfile(self, source: object, outputfile: object) -> None:
        """Send the first half of a package; all else whole."""
        if not self.path.endswith(".apk"):
            super().copyfile(source, outputfile)  # type: ignore[arg-type,type-var]
            return
        data = source.read()  # type: ignore[attr-defined]
        outputfile.write(data[: len(data) // 2])  # type: ignore[attr-defined]
        self.close_connection = True


@contextmanager
def serving(
    folder: Path, host: str, port: int = 0, handler: type[Handler] = Handler
) -> Iterator[str]:
    """Serve `folder` and yield its address for ALPINE_MIRROR.

    The address is a part of what BuildKit's cache knows a step by: with the same port
    an unchanged repository is a cached one. Any other where that one is taken.
    """
    handle = functools.partial(handler, directory=str(folder))
    try:
        server = ThreadingHTTPServer((host, port), handle)
    except OSError:
        server = ThreadingHTTPServer((host, 0), handle)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
