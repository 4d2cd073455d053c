"""Which service's tests are meant, and which exit code a build of them has that ends early.

A wrong name ends the command before an engine is asked.
"""

from __future__ import annotations

import pytest

from scripts.__main__ import main as front_door
from scripts.build import bake, failure
from scripts.commands import test_package as command
from scripts.common.errors import SutraError
from scripts.engine import client as engine
from scripts.services import service_parts
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def _product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("word", ["sutra-storage-server", "sutra-storage"])
def test_a_service_is_called_by_its_image_or_its_folder(word: str) -> None:
    assert command.named(word) == "sutra-storage-server"


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("", "PACKAGE: missing"),
        ("sutra-service", 'PACKAGE: no such service "sutra-service"'),
        ("a\nb", 'PACKAGE: no such service "a\\nb"'),
    ],
)
def test_another_word_is_refused_with_the_names_that_there_are(word: str, problem: str) -> None:
    with pytest.raises(SutraError) as caught:
        front_door(["test-package", word])
    names = " ".join(service.name for service in service_parts.listed())
    assert (caught.value.message, caught.value.tip) == (problem, f"one of: {names}")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> str:
    """A service of the checkout, built by no engine."""
    monkeypatch.setattr(engine, "connect", lambda: None)
    return service_parts.listed()[0].name


@pytest.mark.parametrize(
    "step", ["NAME-test test 4/5", "test 4/5", "NAME-test service-test 2/3", "linux/arm64 test 1/9"]
)
def test_a_test_that_fails_is_a_failed_check(
    service: str, step: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    named = step.replace("NAME", service)
    fail_at(named, monkeypatch)
    assert front_door(["test-package", service]) == 1
    problem, tip = capsys.readouterr().err.splitlines()
    assert problem == f'docker-bake.hcl: target.{service}-test: tests failed "{named}"'
    again = f"fix it, then run `make test-package PACKAGE={service}` again"
    assert tip == f"tip: their output is above; {again}"


@pytest.mark.parametrize(
    "step", ["NAME-test test-deps 2/2", "NAME-test builder 3/5", "the first step"]
)
def test_a_tree_that_cannot_be_built_is_no_failed_check(
    service: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at(step.replace("NAME", service), monkeypatch)
    with pytest.raises(SutraError, match="build: step failed"):
        front_door(["test-package", service])


def test_a_reason_of_the_builder_is_no_failed_check(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = LOG.format(step=f"{service}-test test 4/5", reason="exit code: 1").replace(
        "FAILED", "OSError: [Errno 28] no space left on device"
    )
    raise_of(lines, monkeypatch)
    with pytest.raises(SutraError, match="build: no space left on the engine's disk"):
        front_door(["test-package", service])
    raise_of(LOG.format(step="test 4/5", reason="context canceled"), monkeypatch)
    with pytest.raises(SutraError, match="build: step failed"):
        front_door(["test-package", service])


LOG = """------
 > [{step}] RUN python -m pytest:
0.412 FAILED
------
ERROR: failed to solve: process "/bin/sh -c pytest" did not complete successfully: {reason}
"""


def fail_at(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the build end as BuildKit says it of a step whose program ended with 1."""
    raise_of(LOG.format(step=step, reason="exit code: 1"), monkeypatch)


def raise_of(log: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the build end with the error of a log."""

    def build(*_: object) -> None:
        raise failure.failure(log.splitlines())

    monkeypatch.setattr(bake, "build", build)
