"""Engines that refuse or answer one question, for the tests of this room."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler

import pytest

from tests.unit.fakes import AnyType

TIP = "run `make engine`"


class Versions(BaseHTTPRequestHandler):
    """Answers every question with the engine's version."""

    answer = b"{}"
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, format: str, *values: object) -> None:
        """Print nothing: stderr belongs to the test."""


def answer(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    content = {"Version": version, "ApiVersion": "1.44", "MinAPIVersion": "1.24"}
    monkeypatch.setattr(Versions, "answer", json.dumps(content).encode())


# docker.DockerClient leaves its socket open when it is dropped
unclosed = pytest.mark.filterwarnings("ignore::ResourceWarning")


# every type in place of docker.DockerClient, as FakeEngine
class Refusing(AnyType):  # type: ignore[misc]
    """An engine that answers every call with one error."""

    def __init__(self, error: Exception) -> None:
        self.images = self.api = self
        self.error = error

    def _refuse(self, *words: object, **options: object) -> object:
        raise self.error

    base_url = "http+docker://localunixsocket"
    get = tag = remove_image = get_image = info = _refuse
