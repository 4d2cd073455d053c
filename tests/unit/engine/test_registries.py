from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from requests.exceptions import ReadTimeout

from scripts.common.errors import SutraError
from scripts.engine import registries
from tests.unit.fakes import RegistryEngine

IMAGE = "debian:trixie-slim"


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> RegistryEngine:
    registry_engine = RegistryEngine()
    monkeypatch.setattr("scripts.engine.client.connect", registry_engine.connect)
    return registry_engine


def answered(status: int, explanation: str | None, kind: type[APIError] = APIError) -> APIError:
    response = requests.Response()
    response.status_code = status
    return kind(f"{status} Error", response=response, explanation=explanation)


def test_a_registry_that_serves_refuses_nothing(registry: RegistryEngine) -> None:
    assert registries.registry_refusal(IMAGE, 5) == ""
    assert (registry.references, registry.closed) == ([IMAGE], True)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (answered(500, "Get: no such host\nmore"), "Get: no such host"),
        (answered(503, "unavailable"), "unavailable"),
        (answered(400, "bad"), "bad"),
        (APIError("500", explanation="Get: no such host\nmore"), "Get: no such host"),
        (APIError("500 Server Error"), "500 Server Error"),
        (APIError("500 Server Error", explanation="\n"), "500 Server Error"),
        (ReadTimeout("Read timed out."), "no answer in 5 s"),
        (DockerException("bad"), "bad"),
    ],
    ids=repr,
)
def test_why_no_registry_answered_is_one_line(
    registry: RegistryEngine, answer: Exception, reason: str
) -> None:
    registry.answer = answer
    assert registries.registry_refusal(IMAGE, 5) == reason
    assert (registry.references, registry.closed) == ([IMAGE], True)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (answered(401, "unauthorized: login\nmore"), "unauthorized: login"),
        (answered(403, "denied: requested access"), "denied: requested access"),
        (answered(404, "manifest unknown", ImageNotFound), "manifest unknown"),
        (answered(404, None, NotFound), "404 Error"),
        (answered(429, "slow down"), "slow down"),
        (answered(500, "toomanyrequests: rate limit"), "toomanyrequests: rate limit"),
        (APIError("x", explanation="toomanyrequests: limit"), "toomanyrequests: limit"),
    ],
    ids=repr,
)
def test_a_registry_that_refuses_is_one_clear_line(
    registry: RegistryEngine, answer: APIError, reason: str
) -> None:
    registry.answer = answer
    with pytest.raises(SutraError) as caught:
        registries.registry_refusal(IMAGE, 5)
    assert caught.value.message == f'roots: its registry refuses "{IMAGE}": {reason}'
    assert caught.value.tip == "check the name and the login"
    assert (registry.references, registry.closed) == ([IMAGE], True)


class Pusher:
    """An engine whose push prints `lines`, or raises."""

    def __init__(self, *lines: dict[str, Any], error: Exception | None = None) -> None:
        self.api, self.lines, self.error = self, lines, error
        self.pushes: list[tuple[str, str]] = []

    def push(self, repository: str, tag: str, stream: bool, decode: bool) -> Iterator[Any]:
        assert stream
        assert decode
        self.pushes.append((repository, tag))
        if self.error:
            raise self.error
        return iter(self.lines)


def test_a_push_is_of_one_tag() -> None:
    client: Any = Pusher({"status": "Pushed"}, {"aux": {"Tag": "1"}})
    registries.push(client, "localhost:5000/me/api:1")
    assert client.pushes == [("localhost:5000/me/api", "1")]


def test_a_push_that_fails_on_its_way() -> None:
    client: Any = Pusher({"status": "Waiting"}, {"error": "denied: no\nmore lines"})
    with pytest.raises(SutraError) as caught:
        registries.push(client, "localhost:5000/me/api:1")
    assert caught.value.message == 'registry: cannot push "localhost:5000/me/api:1": denied: no'
    assert caught.value.tip == (
        "check the network and `docker login localhost:5000`, then run the same command again"
    )


def test_a_push_that_the_engine_refuses() -> None:
    client: Any = Pusher(error=APIError("500", explanation="no such tag"))
    with pytest.raises(SutraError) as caught:
        registries.push(client, "localhost:5000/me/api:1")
    assert caught.value.message == 'engine: cannot push "localhost:5000/me/api:1": no such tag'
