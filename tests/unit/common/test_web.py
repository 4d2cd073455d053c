"""Answers of servers, read within bounds; tests of indexes and logs have real ones."""

from __future__ import annotations

import io
import ssl
from pathlib import Path

import pytest
import requests
from urllib3 import HTTPResponse

from scripts.common import web


def test_a_session_trusts_what_the_knob_names(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("x")
    assert web.session({"CA_BUNDLE": str(bundle)}).verify == str(bundle)


@pytest.mark.parametrize(
    ("text", "is_address"),
    [
        ("https://pypi.org/simple", True),
        ("http://me:pass@127.0.0.1:8080", True),
        ("ftp://x", False),
        ("pypi.example", False),
        ("https://", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_an_address_is_of_http_and_has_a_host(text: str, is_address: bool) -> None:
    assert web.is_address(text) == is_address


def answer(data: bytes) -> requests.Response:
    response = requests.Response()
    response.raw = HTTPResponse(io.BytesIO(data), preload_content=False)
    return response


def test_a_body_may_have_as_many_bytes_as_the_most() -> None:
    data = bytes(2 * web.BLOCK)
    assert web.body(answer(data), len(data)) == data
    with pytest.raises(ValueError, match=r"^its answer is too long$"):
        web.body(answer(data), len(data) - 1)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(), "it took too long"),
        (requests.ReadTimeout(), "it took too long"),
        (requests.ConnectTimeout(), "it took too long"),
        (requests.ConnectionError("https://me:pass@x"), "no connection"),
        (requests.exceptions.SSLError(), "no connection"),
        (requests.exceptions.InvalidURL(), "no connection"),
        (ssl.SSLError(), "no connection"),
        (ConnectionResetError(), "no connection"),
        (ValueError("its answer is too long"), ""),
        (KeyError("releases"), ""),
    ],
)
def test_a_server_is_silent_where_it_did_not_answer(error: Exception, reason: str) -> None:
    assert web.silence(error) == reason
