from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from scripts.build import bake as build
from scripts.checks import gate, tests_ahead
from scripts.checks.gate import Verdict
from scripts.commands import prod
from scripts.common import git
from tests.support import sizes_only
from tests.unit.fakes import FakeEngine, FakeImage, tar_of

CATALOG = """\
release: {budget: {installed: 9 B, download: 1 MB}}
images:
  sutra-base-python: {budget: {installed: 9 B, download: 1 MB}, not_promoted_because: a toolchain}
  sutra-api: {budget: {installed: 5 B, download: 1 MB}}
"""
ALREADY = "promoted already, by line 1 of .build/history.jsonl"


class Front:
    """`make prod` over an engine in memory; counts how often every check was made."""

    def __init__(self, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine, self.checked, self.commit = engine, 0, "c" * 40
        # a pair for each build: it ran without cache, its tests may begin ahead
        self.builds: list[tuple[bool, bool]] = []
        monkeypatch.setattr(build, "build", self._build)
        monkeypatch.setattr(git, "labels", lambda **_: {"REVISION": self.commit})
        monkeypatch.setattr(gate, "everything", self._everything)

    def _build(self, client: Any, groups: Sequence[str], no_cache: bool, begun: Any) -> None:
        assert groups == ["prod"]
        self.builds.append((no_cache, begun is not None))

    def _everything(self, *arguments: Any, **more: Any) -> Verdict:
        self.checked += 1
        return sizes_only.everything(*arguments, **more)

    def add(self, content: str, name: str) -> None:
        self.engine.add(FakeImage([tar_of({"file": content.encode()})]), f"{name}:prod")

    def make(self, no_cache: bool = False) -> int:
        client: Any = self.engine
        return prod.make(client, no_cache)


@pytest.fixture
def front(engine: FakeEngine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Front:
    (folder / "images.yaml").write_text(CATALOG)
    monkeypatch.setenv("ALLOW_DIRTY", "1")
    for name in ("VERSION", "REGISTRY", "DRY_RUN"):
        monkeypatch.delenv(name, raising=False)
    product = Front(engine, monkeypatch)
    product.add("1", "sutra-base-python")
    product.add("123", "sutra-api")
    return product


def test_what_is_promoted_already_is_measured_and_not_checked_again(
    front: Front, capfd: pytest.CaptureFixture[str]
) -> None:
    assert (front.make(), front.checked) == (0, 1)
    capfd.readouterr()
    assert (front.make(), front.checked) == (0, 1)
    shown, errors = capfd.readouterr()
    assert (shown.count("│ ok │"), errors.splitlines()) == (3, [ALREADY])


@pytest.mark.parametrize(
    ("tests", "no_cache", "ahead"), [("", False, True), ("skip", False, False), ("", True, False)]
)
def test_the_tests_begin_ahead_where_they_count_and_come_from_this_build(
    front: Front, monkeypatch: pytest.MonkeyPatch, tests: str, no_cache: bool, ahead: bool
) -> None:
    monkeypatch.setenv("TESTS", tests)
    assert front.make(no_cache) == 0
    assert front.builds == [(no_cache, ahead)]


@pytest.mark.parametrize(
    ("there", "is_first"), [((), True), (("sutra-api",), False), (("another",), True)]
)
def test_a_build_is_the_first_where_the_engine_has_none_of_the_images(
    front: Front, monkeypatch: pytest.MonkeyPatch, there: Sequence[str], is_first: bool
) -> None:
    front.engine.tags.clear()
    for name in there:
        front.add("1", name)
    firsts: list[bool] = []
    ahead = tests_ahead.ahead

    def kept(is_first: bool) -> AbstractContextManager[tests_ahead.Ahead]:
        firsts.append(is_first)
        front.add("1", "sutra-base-python")
        front.add("123", "sutra-api")
        return ahead(is_first)

    monkeypatch.setattr(tests_ahead, "ahead", kept)
    assert (front.make(), firsts) == (0, [is_first])


@pytest.mark.parametrize("name", ["sutra-api", "sutra-base-python"])
def test_another_image_is_checked(front: Front, name: str) -> None:
    front.make()
    front.add("12345"[: 5 if name == "sutra-api" else 2], name)
    assert (front.make(), front.checked) == (0, 2)


@pytest.mark.parametrize("commit", ["d" * 40, "c" * 40 + "-dirty", ""])
def test_promises_of_another_or_no_commit_are_checked(front: Front, commit: str) -> None:
    """The images may be the same while the promises of images.yaml differ."""
    front.make()
    front.commit = commit
    assert (front.make(), front.checked) == (0, 2)


def test_a_tag_that_was_taken_away_is_set_again(front: Front) -> None:
    front.make()
    del front.engine.tags["sutra-api:latest"]
    assert (front.make(), front.checked) == (0, 2)
    assert front.engine.tags["sutra-api:latest"] == front.engine.tags["sutra-api:prod"]


@pytest.mark.parametrize(("knob", "value"), [("VERSION", "1.0.0"), ("DRY_RUN", "1")])
def test_what_is_asked_for_is_done(
    front: Front, monkeypatch: pytest.MonkeyPatch, knob: str, value: str
) -> None:
    front.make()
    monkeypatch.setenv(knob, value)
    assert (front.make(), front.checked) == (0, 2)


def test_a_budget_that_was_lowered_fails_all_the_same(
    front: Front, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    front.make()
    (folder / "images.yaml").write_text(CATALOG.replace("installed: 5 B", "installed: 2 B"))
    assert (front.make(), front.checked) == (1, 1)
    over = 'images.yaml: images.sutra-api.budget.installed: over budget "0.0 MB"'
    assert capfd.readouterr().err.splitlines()[-1].startswith(over)
