"""A server on loopback answers as long as the block lasts, however that ends."""

from __future__ import annotations

import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from scripts.bench.serving import serving


def server() -> ThreadingHTTPServer:
    return ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)


def test_a_server_answers_inside_of_the_block_alone() -> None:
    with serving(server()) as address:
        assert requests.get(f"http://{address}/", timeout=5).status_code == 501
    host, _, port = address.partition(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)


def test_a_block_that_fails_ends_its_server_too() -> None:
    process = server()
    with pytest.raises(ZeroDivisionError), serving(process):
        raise ZeroDivisionError
    assert process.socket.fileno() == -1
