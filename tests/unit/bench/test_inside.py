from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scripts.bench.inside import ask_in_turn, load_api
from tests.support.running import served


class Service(ThreadingHTTPServer):
    """Answers every request with `status`, and records it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.requests: list[tuple[str, str, bytes]] = []


class Handler(BaseHTTPRequestHandler):
    server: Service
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.command, self.path, body))
        self.send_response(201 if self.command == "PUT" else self.server.status)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"true")

    do_PUT = do_POST = do_GET  # noqa: N815 - the names that the library calls

    def log_message(self, format: str, *arguments: object) -> None:
        """Print nothing on stderr."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    server = Service()
    address = ("127.0.0.1", server.server_port)
    monkeypatch.setattr(load_api, "ADDRESS", address)
    for name in ask_in_turn.ADDRESSES:
        monkeypatch.setitem(ask_in_turn.ADDRESSES, name, address)
    with served(server):
        yield server


def test_the_load_prints_the_answers_a_second(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    load_api.main(seconds=1, connections=2, concepts=3)
    reads = [path for method, path, _ in service.requests if method == "GET"]
    assert float(capsys.readouterr().out) == len(reads) > 0
    assert set(reads) == {f"/concepts/bench-{number}" for number in range(3)}
    stored = [json.loads(body) for method, _, body in service.requests if method == "PUT"]
    assert stored == [{"text": f"fact {number}"} for number in range(3)]


def test_a_load_that_is_refused_ends_with_the_answer(service: Service) -> None:
    service.status = 503
    with pytest.raises(SystemExit) as caught:
        load_api.main(seconds=1, connections=2, concepts=3)
    assert caught.value.code == "GET: b'HTTP/1.1 503 Service Unavailable'"


def test_storage_and_api_are_asked_in_turn(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    ask_in_turn.main(7)
    times = json.loads(capsys.readouterr().out)
    names = ("storage PUT", "storage GET", "api PUT", "api GET", "hybrid POST")
    assert sorted(times) == sorted(names)
    assert all(0 < median <= last for median, last in times.values())
    methods = [method for method, _, _ in service.requests]
    counts = {method: methods.count(method) for method in set(methods)}
    assert counts == {"PUT": 2 * 57, "GET": 2 * 57, "POST": 1 + 20 + 7}
    assert [path for _, path, _ in service.requests[:4]] == [
        "/concepts/storage-0",
        "/concepts/storage-0",
        "/concepts/api-0",
        "/concepts/api-0",
    ]


def test_a_request_that_is_refused_ends_with_the_answer(service: Service) -> None:
    service.status = 500
    with pytest.raises(SystemExit) as caught:
        ask_in_turn.main(1)
    assert caught.value.code == "storage: GET /concepts/storage-0: 500"


def test_quantiles_are_milliseconds() -> None:
    seconds = [number / 1000 for number in range(100, 0, -1)]
    assert (ask_in_turn.quantile(seconds, 0.5), ask_in_turn.quantile(seconds, 0.99)) == (51, 100)
