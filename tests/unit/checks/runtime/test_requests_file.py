"""Requests as a file has them, and a server that answers them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from scripts.checks.runtime import requests_file
from scripts.checks.runtime.requests_file import Answer, Request
from scripts.common.errors import SutraError
from tests.support.running import served

TIP = 'a line is a method, a path and perhaps a JSON body, such as `POST /search {"text": "a"}`'


def test_a_line_is_a_request(tmp_path: Path) -> None:
    file = tmp_path / "requests"
    file.write_text(
        '# all of it\n\nGET /stats?a=b%20c\n  PUT /x {"name": "ä b"}  \nDELETE db-1.x/\n'
    )
    assert requests_file.read(file) == [
        Request("GET", "/stats?a=b%20c"),
        Request("PUT", "/x", '{"name": "ä b"}'),
        Request("DELETE", "/", "", "db-1.x"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "/stats",
        "get /stats",
        "GET stats",
        "GET a:80/",
        "GET A/",
        "GET",
        "GET /ä",
        "TRACE /",
        "GET http://x/",
        "GET  /a",
    ],
)
def test_another_line_is_refused(line: str, tmp_path: Path) -> None:
    file = tmp_path / "requests"
    file.write_text(f"GET /\n{line}\n")
    with pytest.raises(SutraError) as caught:
        requests_file.read(file)
    assert caught.value.message == f'{file}: line 2: not a request "{line}"'
    assert caught.value.tip == TIP


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\n")
    for name, reason in (
        ("gone", "No such file or directory"),
        (".", "Is a directory"),
        ("bytes", "not UTF-8"),
    ):
        file = tmp_path / name
        with pytest.raises(SutraError) as caught:
            requests_file.read(file)
        assert caught.value.message == f"{file}: cannot be read: {reason}"


class Answering(BaseHTTPRequestHandler):
    """Answers with the status that the path names, and keeps what it was asked."""

    requests: ClassVar[list[tuple[str, str | None, bytes]]] = []

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.requests.append((self.command, self.headers.get("Content-Type"), body))
        self.send_response(int(self.path.strip("/")))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.do_GET()

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *values: object) -> None:
        """Print nothing: stderr belongs to the test."""


@pytest.fixture
def server() -> Iterator[tuple[str, int]]:
    answering = HTTPServer(("127.0.0.1", 0), Answering)
    with served(answering):
        yield ("127.0.0.1", answering.server_port)


def test_each_request_has_its_status(server: tuple[str, int]) -> None:
    requests = [
        Request("GET", "/200"),
        Request("HEAD", "/503", host="own"),
        Request("POST", "/422", '"ä"', "db"),
    ]
    addresses = {"own": server, "db": server}
    Answering.requests.clear()
    assert requests_file.send(addresses, "own", requests) == [
        Answer(requests[0], 200),
        Answer(requests[1], 503),
        Answer(requests[2], 422),
    ]
    assert Answering.requests == [
        ("GET", None, b""),
        ("HEAD", None, b""),
        ("POST", "application/json", '"ä"'.encode()),
    ]


def test_a_request_without_an_answer_is_one_line() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and does not listen
        with pytest.raises(SutraError) as caught:
            requests_file.send({"x": unused.getsockname()}, "x", [Request("GET", "/a")])
    assert caught.value.message == ("requests: no answer to GET /a: [Errno 111] Connection refused")
    assert caught.value.tip == "`make verify-runtime` shows whether the service works"


def test_an_answer_that_is_not_http_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(SutraError) as caught:
            requests_file.send({"x": server.getsockname()}, "y", [Request("GET", "/a", host="x")])
        thread.join()
    assert caught.value.message.startswith("requests: no answer to GET x/a: 220 mail")


@pytest.mark.parametrize(
    ("hosts", "host", "missing", "with_address"),
    [
        (("own", "db"), "cache", "cache", "db, own"),
        (("db",), "", "own", "db"),
        ((), "", "own", "none"),
    ],
)
def test_a_service_without_an_address_is_one_line_before_anything_is_sent(
    hosts: tuple[str, ...], host: str, missing: str, with_address: str, server: tuple[str, int]
) -> None:
    Answering.requests.clear()
    requests = [Request("GET", "/200", host="db"), Request("GET", "/200", host=host)]
    if "db" not in hosts:
        requests.pop(0)
    with pytest.raises(SutraError) as caught:
        requests_file.send(dict.fromkeys(hosts, server), "own", requests)
    assert (caught.value.message, caught.value.tip) == (
        f'requests: no address for requests to "{missing}"',
        f"an image needs EXPOSE; services with an address: {with_address}",
    )
    assert Answering.requests == []
