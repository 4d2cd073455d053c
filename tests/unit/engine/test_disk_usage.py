from __future__ import annotations

from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import docker
import pytest

from scripts.common.errors import EngineError
from scripts.engine import disk_usage
from tests.support.running import served
from tests.unit.engine.stand_ins import TIP, Versions, unclosed

pytestmark = unclosed


class Answers(Versions):
    """Answers with one text, and remembers what was asked."""

    paths: list[str]

    def do_GET(self) -> None:  # noqa: N802 — the name that http.server calls
        self.paths.append(self.path)
        super().do_GET()


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(Answers, "paths", [], raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    with served(server):
        address = f"tcp://127.0.0.1:{server.server_address[1]}"
        yield docker.DockerClient(base_url=address, version="1.44")


def answer(monkeypatch: pytest.MonkeyPatch, content: bytes, status: int = 200) -> None:
    monkeypatch.setattr(Answers, "answer", content)
    monkeypatch.setattr(Answers, "status", status)


def test_caches_and_volumes_are_asked_for_alone(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, b'{"BuildCache": [{"ID": "a"}], "Volumes": null, "Images": null}')
    assert disk_usage.caches_and_volumes(client) == {"BuildCache": [{"ID": "a"}], "Volumes": []}
    assert Answers.paths == ["/v1.44/system/df?type=build-cache&type=volume"]


@pytest.mark.parametrize(
    ("content", "status", "problem"),
    [
        (b'{"message": "no disk"}', 500, "no disk"),
        (b"[]", 200, "unexpected answer (KeyError: 'BuildCache')"),
        (b"no JSON", 200, "unexpected answer (JSONDecodeError: Expecting value"),
        (b'{"BuildCache": null}', 200, "unexpected answer (KeyError: 'Volumes')"),
    ],
)
def test_a_refusal_and_an_unexpected_answer_are_one_line(
    client: Any, monkeypatch: pytest.MonkeyPatch, content: bytes, status: int, problem: str
) -> None:
    answer(monkeypatch, content, status)
    with pytest.raises(EngineError) as error:
        disk_usage.caches_and_volumes(client)
    assert str(error.value).startswith(f"engine: cannot tell how its disk is used: {problem}")


@pytest.mark.parametrize(("content", "size"), [(b'{"SizeRw": 4711}', 4711), (b'{"Id": "c"}', 0)])
def test_what_a_container_wrote(
    client: Any, monkeypatch: pytest.MonkeyPatch, content: bytes, size: int
) -> None:
    answer(monkeypatch, content)
    assert disk_usage.written_by(client, "c") == size
    assert Answers.paths == ["/v1.44/containers/c/json?size=1"]


@pytest.mark.parametrize(
    "problem", [b"No such container: c", b"rw layer snapshot not found for container c"]
)
def test_a_container_that_goes_has_written_nothing(
    client: Any, monkeypatch: pytest.MonkeyPatch, problem: bytes
) -> None:
    answer(monkeypatch, b'{"message": "%s"}' % problem, 404)
    assert disk_usage.written_by(client, "c") == 0


def test_an_engine_that_cannot_measure_is_one_line(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, b'{"message": "input/output error"}', 500)
    with pytest.raises(EngineError) as error:
        disk_usage.written_by(client, "c")
    assert (str(error.value), error.value.tip) == (
        "engine: cannot measure a container: input/output error",
        TIP,
    )
