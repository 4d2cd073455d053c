from __future__ import annotations

import os
from pathlib import Path

import pytest

from scripts.common.errors import SutraError
from scripts.engine import context, process
from scripts.engine.client import connect
from tests.unit.engine.stand_ins import answer, unclosed
from tests.unit.fakes import program


@unclosed
def test_without_docker_host_the_context_of_the_client_holds(
    served: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(
        tmp_path,
        "docker",
        f'[ "$*" = "context inspect --format {{{{.Endpoints.docker.Host}}}}" ] && echo {served}\n',
    )
    monkeypatch.setenv("PATH", str(tmp_path))
    answer(monkeypatch, "20.10.5")
    with pytest.raises(SutraError) as caught:
        connect()
    assert caught.value.message == (
        'engine: server.version: too old "20.10.5", 23 or newer is needed'
    )


CONTEXTS = context.NO_CONTEXT


@pytest.mark.parametrize("name", ["", "default"])
def test_without_a_client_the_default_socket_holds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONTEXT", name)
    assert context.endpoint() == "unix:///var/run/docker.sock"


@pytest.mark.parametrize("place", ["environment", "file"])
def test_a_context_that_no_client_can_read_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    if place == "environment":
        monkeypatch.setenv("DOCKER_CONTEXT", "farm")
    else:
        (tmp_path / "config.json").write_text('{"currentContext": "farm"}')
    with pytest.raises(SutraError) as caught:
        connect()
    assert caught.value.message == 'engine: no docker client that knows the context "farm"'
    assert caught.value.tip == CONTEXTS


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ('echo; echo "context x: not found" >&2; exit 1', ": context x: not found"),
        ('printf "\\n\\033[31mred\\n" >&2; exit 1', ": \N{REPLACEMENT CHARACTER}[31mred"),
        ("exit 3", ": exit code 3"),
        ("kill -9 $$", ": exit code -9"),
        ("echo", ": no address of an engine"),
        ("sleep 60 & sleep 60", ": no answer in 1 s"),
    ],
)
def test_a_missing_context_is_not_another_engine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, problem: str
) -> None:
    program(tmp_path, "docker", script + "\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(process, "SECONDS", 1.0)
    with pytest.raises(SutraError) as caught:
        connect()
    assert caught.value.message == f"engine: docker context inspect{problem}"
    assert caught.value.tip == CONTEXTS


def test_a_client_that_cannot_be_run_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(tmp_path, "docker", "").write_bytes(b"\x7fELF")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SutraError) as caught:
        connect()
    assert caught.value.message == "engine: docker context inspect: Exec format error"
    assert caught.value.tip == CONTEXTS
