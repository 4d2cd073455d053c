"""Which base a service is on: by its layers, and where those do not tell, by its steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from scripts.catalog import catalog
from scripts.rebase import rebase
from tests.unit.fakes import FakeEngine, FakeImage

CATALOG = """\
release: {budget: {installed: 9 B, download: 1 MB}}
images:
  base: {budget: {installed: 9 B, download: 1 MB}, not_promoted_because: a toolchain}
  api: {budget: {installed: 5 B, download: 1 MB}}
"""
LABELS = {"org.opencontainers.image.base.name": "base:prod"}


class Steps(FakeEngine):
    """An engine that knows the steps of each image, the first one first."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: dict[str, list[str]] = {}

    def history(self, reference: str) -> list[dict[str, Any]]:
        steps = self.steps[self._find(reference).id]
        return [{"CreatedBy": step, "Comment": "", "Size": 0} for step in reversed(steps)]

    def create(self, tag: str, layers: str, steps: Sequence[str], **labels: str) -> str:
        identity = self.add(FakeImage([layer.encode() for layer in layers], labels=labels), tag)
        self.steps[identity] = list(steps)
        return identity


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    Path("images.yaml").write_text(CATALOG)
    fake = Steps()
    fake.create("api:prod", "ab", ["COPY a", "USER 7", "COPY b"], **LABELS)
    return fake


def moved(engine: Any, earlier: str | None) -> list[tuple[str, str]]:
    services = rebase.services_to_move(engine, catalog.load(), {"base": earlier})
    return [(service.old, service.new) for service in services]


def test_a_service_on_the_base_that_is_here_stays(steps: Steps) -> None:
    new = steps.create("base:prod", "a", ["COPY a", "USER 7"])
    steps.create("base:kept-1", "a", ["COPY a", "USER 6"], other="user")
    assert moved(steps, new) == []


def test_a_base_of_the_same_layers_that_is_made_otherwise_is_another_one(steps: Steps) -> None:
    """The one that is here was here before this call too, as with BUILT=1."""
    old = steps.create("base:kept-1", "a", ["COPY a", "USER 7"])
    new = steps.create("base:prod", "a", ["COPY a", "USER 8"], other="user")
    assert moved(steps, new) == [(old, new)]


def test_layers_count_more_than_steps(steps: Steps) -> None:
    old = steps.create("base:kept-1", "a", ["COPY from elsewhere"])
    new = steps.create("base:prod", "c", ["COPY a", "USER 7"])
    assert moved(steps, new) == [(old, new)]


def test_the_base_that_has_no_tag_any_more_is_known_by_its_id(steps: Steps) -> None:
    old = steps.create("base:prod", "a", ["COPY a", "USER 7"])
    new = steps.create("base:prod", "c", ["COPY c", "USER 7"])
    assert moved(steps, old) == [(old, new)]
