from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts.__main__ import main as front_door
from scripts.build import bake as build
from scripts.common.errors import SutraError
from scripts.engine import client
from tests.unit.fakes import FakeEngine, FakeImage, tar_of

CATALOG = """\
release: {budget: {installed: 9 B, download: 1 MB}}
images:
  sutra-base-python: {budget: {installed: 9 B, download: 1 MB}, not_promoted_because: a toolchain}
  sutra-api: {budget: {installed: 5 B, download: 1 MB}}
"""
BASE = "sutra-base-python:prod"


def image(content: str) -> FakeImage:
    return FakeImage([tar_of({"file": content.encode()})])


@pytest.mark.parametrize("was_there", [True, False])
def test_a_rebase_that_fails_leaves_the_tags_of_its_bases_as_they_were(
    engine: FakeEngine, folder: Path, monkeypatch: pytest.MonkeyPatch, was_there: bool
) -> None:
    (folder / "images.yaml").write_text(CATALOG)
    monkeypatch.setenv("ALLOW_DIRTY", "1")
    monkeypatch.setattr(client, "connect", lambda: engine)

    def built(*_: Any, **__: Any) -> None:
        engine.add(image("new"), BASE)

    monkeypatch.setattr(build, "build", built)
    if was_there:
        engine.add(image("old"), BASE)
    before = dict(engine.tags)
    with pytest.raises(SutraError) as caught:  # the service was never built
        front_door(["rebase"])
    assert caught.value.message == 'rebase: no such image "sutra-api:prod"'
    assert engine.tags == before
