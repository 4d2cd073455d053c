"""What promotion asks of the engine: tags, labels, digests, logins, and pushes that fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from docker.errors import APIError

from scripts.common.errors import SutraError
from scripts.engine import images, registries
from tests.unit.fakes import FakeEngine, FakeImage, tar_of

LAYER = tar_of({"file": b"x"})


def test_tags_of_one_repository_and_of_no_other() -> None:
    client: Any = FakeEngine()
    client.add(FakeImage([LAYER]), "sutra-api:prod", "sutra-api:1.4", "my/sutra-api:latest")
    assert images.repository_tags(client, "sutra-api") == {"prod", "1.4"}
    assert images.repository_tags(client, "sutra") == set()


@pytest.mark.parametrize("labels", [None, {}, {"a": "b"}])
def test_labels(labels: dict[str, str] | None) -> None:
    client: Any = FakeEngine()
    client.add(FakeImage([LAYER], labels=labels), "sutra-api:prod")
    assert images.labels(client, "sutra-api:prod") == (labels or {})
    assert images.labels(client, "sutra-api:other") == {}


def test_digests_of_one_repository_and_of_no_other() -> None:
    client: Any = FakeEngine()
    made = FakeImage([LAYER])
    made.attrs["RepoDigests"] = ["localhost:5000/me/api@sha256:a", "api@sha256:b"]  # type: ignore[assignment]
    client.add(made, "localhost:5000/me/api:1")
    assert images.digests(client, "localhost:5000/me/api:1") == {"sha256:a"}
    assert images.digests(client, "localhost:5000/me/none:1") == set()
    assert images.digests_anywhere(client, "localhost:5000/me/api:1") == {"sha256:a", "sha256:b"}
    assert images.digests_anywhere(client, "localhost:5000/me/none:1") == set()


class Pusher:
    """An engine whose push says `lines`, or raises."""

    def __init__(self, *lines: dict[str, Any], error: Exception | None = None) -> None:
        self.api, self.lines, self.error = self, lines, error
        self.asked: list[tuple[str, str]] = []

    def push(self, repository: str, tag: str, stream: bool, decode: bool) -> Iterator[Any]:
        assert stream
        assert decode
        self.asked.append((repository, tag))
        if self.error:
            raise self.error
        return iter(self.lines)


def test_a_push_is_of_one_tag() -> None:
    client: Any = Pusher({"status": "Pushed"}, {"aux": {"Tag": "1"}})
    registries.push(client, "localhost:5000/me/api:1")
    assert client.asked == [("localhost:5000/me/api", "1")]


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
