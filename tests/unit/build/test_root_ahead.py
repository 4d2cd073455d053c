"""A first build's root is begun only where the build itself would bootstrap the same one."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.build import bootstrap, root_ahead, root_folder
from scripts.common.errors import SutraError
from scripts.engine import socket_question
from tests.conftest import ROOT

IMAGE = "debian:trixie-slim"
NOT_HELD = (404, '{"message": "No such image"}')
NO_REGISTRY = (500, '{"message": "lookup registry: no such host"}')
Answer = tuple[int, str]


@pytest.fixture
def answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[tuple[dict[str, Answer], list[str]]]:
    """Give the engine's answers, which a test may change, and the roots that are bootstrapped."""
    replies = {"images": NOT_HELD, "distribution": NO_REGISTRY}
    roots: list[str] = []
    for name in ("BASE", "DEBIAN_VERSION", *root_ahead.UNUSUAL, *socket_question.OTHERS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setattr(socket_question, "answer", lambda kind, image, seconds: replies[kind])

    def fill(image: str, layout: Path, architecture: str) -> None:
        roots.append(image)
        layout.mkdir(parents=True)
        (layout / "index.json").touch()

    monkeypatch.setattr(bootstrap, "bootstrap", fill)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docker-bake.hcl").write_text((ROOT / "docker-bake.hcl").read_text())
    handler = signal.getsignal(signal.SIGINT)
    yield replies, roots
    signal.signal(signal.SIGINT, handler)


Engine = tuple[dict[str, Answer], list[str]]


def test_a_root_that_nobody_has_is_bootstrapped_once(answers: Engine) -> None:
    assert (root_ahead.main(), root_ahead.main()) == (0, 0)
    assert answers[1] == [IMAGE]
    assert root_folder.is_filled(Path(".cache/roots/debian-trixie-slim"))


@pytest.mark.parametrize(
    ("kind", "reply"),
    [
        ("images", (200, "{}")),
        ("images", (0, "")),
        ("distribution", (200, "{}")),
        ("distribution", (401, "unauthorized")),
        ("distribution", (500, "toomanyrequests: You have reached your pull rate limit")),
        ("distribution", (0, "")),
    ],
)
def test_any_other_answer_is_left_to_the_build(answers: Engine, kind: str, reply: Answer) -> None:
    answers[0][kind] = reply
    assert root_ahead.main() == 0
    assert answers[1] == []


@pytest.mark.parametrize(
    ("name", "value", "image"),
    [
        ("BASE", "debian", IMAGE),
        ("BASE", "alpine", ""),
        ("DEBIAN_VERSION", "bookworm-slim", "debian:bookworm-slim"),
        ("PLATFORMS", "linux/arm64", ""),
        ("BUILDER", "farm", ""),
        ("DOCKER_HOST", "tcp://10.0.0.1:2376", ""),
    ],
)
def test_which_root_is_wanted(answers: Engine, name: str, value: str, image: str) -> None:
    assert root_ahead.root_of_a_build({name: value, "DOCKER_CONFIG": "."}) == image


def test_a_failure_is_left_to_the_build(answers: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*words: object, **names: object) -> None:
        raise SutraError("roots: bootstrap failed", "check the network")

    monkeypatch.setattr(bootstrap, "bootstrap", fail)
    assert root_ahead.main() == 0


def test_the_standard_library_is_enough() -> None:
    """It runs before there is a virtual environment."""
    code = "import sys; sys.path.insert(0, '.'); import scripts.build.root_ahead"
    interpreter = getattr(sys, "_base_executable", sys.executable)
    done = subprocess.run([interpreter, "-BISc", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
