"""A mirror of Alpine on the engine's own bridge, and the settings of a build on it."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from scripts.engine import client as engine
from tests.alpine.rig import make

# settings that move no tag of a user's, and use no cache of theirs
REPOSITORY = "sutra-alpine"
BRANCH = "v3.23"


class Handler(SimpleHTTPRequestHandler):
    """Files of a folder below /HASH/v3.23, as one repository among others would be."""

    def translate_path(self, path: str) -> str:
        """Return the file of an address; that of another branch is nowhere."""
        _, _, branch, *rest = path.split("/", 3)
        return super().translate_path("/" + "/".join(rest)) if branch == BRANCH else "/nowhere"

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


class CutHandler(Handler):
    """Serves half of each package, as when a connection is lost."""

    def copyfile(self, source: Any, outputfile: Any) -> None:
        """Send half of a package, and everything else whole."""
        if self.path.endswith(".apk"):
            data = source.read()
            outputfile.write(data[: len(data) // 2])
            self.close_connection = True
        else:
            super().copyfile(source, outputfile)


@contextmanager
def serving(folder: Path, host: str, name: str, handler: type[Handler] = Handler) -> Iterator[str]:
    """Serve `folder` and yield its address for ALPINE_MIRROR.

    The address is part of what BuildKit knows a step by. Port and path follow from `name`,
    the hash of the repository: an unchanged one is cached, a changed one is not. A port
    that is taken only costs the cache.
    """
    handle = functools.partial(handler, directory=str(folder))
    try:
        server = ThreadingHTTPServer((host, 20_000 + int(name[:4], 16) % 10_000), handle)
    except OSError:
        server = ThreadingHTTPServer((host, 0), handle)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{host}:{server.server_port}/{name}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def variables(client: engine.Client) -> Iterator[Mapping[str, str]]:
    """Yield the bake file's variables for the rig's root and its mirror, while that is served.

    The project is one of its own: what cargo keeps for one standard library is of no use
    with another.
    """
    rig = make.make(client)
    with serving(rig.repository, bridge(client), rig.name) as address:
        yield {
            "ALPINE_MIRROR": address,
            "ROOT_CONTEXT": rig.root,
            "SUTRA_PROJECT": f"{REPOSITORY}-{rig.name}",
        }


def bridge(client: engine.Client) -> str:
    """Return the address of this machine that build containers reach."""
    (configuration,) = client.networks.get("bridge").attrs["IPAM"]["Config"]
    return str(configuration["Gateway"])
