import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from processes import environment, free_port
from sutra_service.web.healthcheck import main


class Handler(BaseHTTPRequestHandler):
    status: ClassVar = {"/live": 200, "/health": 200}

    def do_GET(self) -> None:
        self.send_response(self.status[self.path])
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("more", [[], ["/live"], ["/health"]])
def test_healthy(server: HTTPServer, more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(server.server_port), *more]) == 0
    assert capsys.readouterr() == ("", "")


def test_alive_without_being_ready(
    server: HTTPServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(Handler.status, "/health", 503)
    port = server.server_port
    assert main([str(port)]) == 0
    assert main([str(port), "/health"]) == 1
    assert capsys.readouterr() == ("", f"127.0.0.1:{port}/health: answered 503\n")


def test_ill(
    server: HTTPServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(Handler.status, "/live", 500)
    assert main([str(server.server_port)]) == 1
    assert capsys.readouterr() == ("", f"127.0.0.1:{server.server_port}/live: answered 500\n")


def test_nobody_to_ask(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    assert main([str(port)]) == 1
    message = f"127.0.0.1:{port}/live: does not answer (connection refused)\n"
    assert capsys.readouterr() == ("", message)


@pytest.mark.parametrize(
    "arguments", [[], ["x"], ["0"], ["65536"], ["1", "2"], ["1", "/live", "x"]]
)
def test_wrong_call(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr() == (
        "",
        "usage: python -m sutra_service.web.healthcheck PORT [/live | /health]\n",
    )


def test_as_a_process_it_is_light(server: HTTPServer) -> None:
    """It starts every few seconds: what it imports is what it costs."""
    command = [sys.executable, "-m", "sutra_service.web.healthcheck", str(server.server_port)]
    assert subprocess.run(command, env=environment(), check=False).returncode == 0
    code = "import sys, sutra_service.web.healthcheck; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], env=environment(), check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {"httpx", "fastapi", "pydantic", "uvicorn", "asyncio"} & set(loaded)
