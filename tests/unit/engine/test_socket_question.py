"""An engine's answers at its socket, from a server at a socket of its own."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from scripts.engine import socket_question

IMAGE = "debian:trixie-slim"
ANSWERS = {
    "/images/debian%3Atrixie-slim/json": (404, '{"message": "No such image"}'),
    "/distribution/debian%3Atrixie-slim/json": (500, '{"message": "no such host"}'),
}


class Handler(BaseHTTPRequestHandler):
    """Answer as an engine does that holds no root and reaches no registry."""

    def do_GET(self) -> None:
        """Answer what ANSWERS has."""
        status, text = ANSWERS[self.path]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def address_string(self) -> str:
        """Return a name: a client of a Unix socket has no address."""
        return "client"

    def log_message(self, *words: object) -> None:
        """Print nothing."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a server's socket; its path is short, as that of a socket must be."""
    monkeypatch.chdir(tmp_path)
    with socketserver.UnixStreamServer("engine.sock", Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield Path("engine.sock")
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("kind", ["images", "distribution"])
def test_the_engine_says_what_it_has(place: Path, kind: str) -> None:
    expected = ANSWERS[f"/{kind}/debian%3Atrixie-slim/json"]
    assert socket_question.answer(kind, IMAGE, 5, place) == expected


def test_no_engine_gives_no_answer(tmp_path: Path) -> None:
    assert socket_question.answer("images", IMAGE, 5, tmp_path / "none.sock") == (0, "")


@pytest.mark.parametrize(
    ("variables", "config", "own"),
    [
        ({}, None, True),
        ({}, "{}", True),
        ({"DOCKER_HOST": ""}, "{}", True),
        ({"DOCKER_HOST": "tcp://10.0.0.1:2376"}, None, False),
        ({"DOCKER_CONTEXT": "farm"}, None, False),
        ({}, json.dumps({"currentContext": "farm"}), False),
        ({}, "[]", False),
        ({}, "{", False),
    ],
)
def test_another_engine_may_be_meant(
    tmp_path: Path, variables: dict[str, str], config: str | None, own: bool
) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    environment = {"DOCKER_CONFIG": str(tmp_path), **variables}
    assert socket_question.is_own_engine(environment) == own
