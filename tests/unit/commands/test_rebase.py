from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts.__main__ import main as front_door
from scripts.build import bake as build
from scripts.catalog import catalog
from scripts.commands import rebase as command
from scripts.common.errors import SutraError
from scripts.engine import client
from scripts.image import inventory
from scripts.rebase import kept_packages
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


def test_packages_whose_code_stays_are_named(
    engine: FakeEngine,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = ("api", "hybrid", "storage")
    budget = "{budget: {installed: 5 B, download: 1 MB}}"
    rows = "".join(f"  {name}: {budget}\n" for name in names)
    (folder / "images.yaml").write_text(
        f"release: {{budget: {{installed: 9 B, download: 1 MB}}}}\nimages:\n{rows}"
    )
    kept = {
        "hybrid:prod": ["libopenblas-pthread-dev 0.3.29 (now 0.3.30)", "libstdc++6 1 (now 2)"],
        "storage:prod": ["libc6-dev 2.41-1 (now 2.41-2)"],
        "api:prod": [],
    }
    monkeypatch.setattr(inventory, "read", lambda client, reference: reference)
    monkeypatch.setattr(kept_packages, "of_service", lambda image, *commits: kept[image])
    command._say_kept(engine, catalog.load(), dict.fromkeys(names, "1"), "2")
    only = "only `make prod` builds it with what base-images/builders.lock has"
    assert capsys.readouterr().err.splitlines() == [
        "rebase: hybrid: keeps libopenblas-pthread-dev 0.3.29 (now 0.3.30), "
        f"libstdc++6 1 (now 2): {only}",
        f"rebase: storage: keeps libc6-dev 2.41-1 (now 2.41-2): {only}",
        "rebase: api: compiled with the base-images/builders.lock of their commit; "
        "`make prod` takes the one here",
    ]
