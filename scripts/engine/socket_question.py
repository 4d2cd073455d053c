"""Questions to the engine at its socket, by the standard library alone: before there is an SDK."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import quote

SOCKET = Path("/var/run/docker.sock")
# variables that may name another engine than the one at SOCKET
OTHERS = ("DOCKER_HOST", "DOCKER_CONTEXT")
# in the text of a registry that did answer, and refused
LIMIT = "toomanyrequests"


class _Connection(HTTPConnection):
    def __init__(self, place: Path, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._place = place

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._place))


def is_own_engine(environment: Mapping[str, str]) -> bool:
    """Return whether commands surely mean the engine at SOCKET, and none of a context."""
    folder = Path(environment.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        context = json.loads((folder / "config.json").read_bytes()).get("currentContext")
    except FileNotFoundError:
        context = ""
    except (OSError, ValueError, AttributeError):
        return False  # whoever reads it next says what is wrong with it
    return not context and not any(environment.get(name) for name in OTHERS)


def answer(kind: str, image: str, seconds: float, place: Path = SOCKET) -> tuple[int, str]:
    """Return HTTP status and text of what the engine says about `image`; (0, "") is no answer.

    `kind` is "images" for what it holds, "distribution" for what the image's registry has; each
    part of an answer may take `seconds`.
    """
    connection = _Connection(place, seconds)
    try:
        connection.request("GET", f"/{kind}/{quote(image)}/json")
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    except (OSError, HTTPException):
        return 0, ""
    finally:
        connection.close()
