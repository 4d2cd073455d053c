from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts import catalog, verify
from scripts.errors import SutraError
from tests.unit.fakes import FakeEngine
from tests.unit.test_promote import CATALOG, image


@pytest.fixture
def promises(folder: Path) -> catalog.Catalog:
    (folder / "images.yaml").write_text(CATALOG)
    return catalog.load()


def test_everything_is_checked_under_its_tag(engine: FakeEngine, promises: Any) -> None:
    client: Any = engine
    base = engine.add(image("1"), "sutra-base-python:prod")
    api = engine.add(image("123"), "sutra-api:prod")
    verdict = verify.everything(client, promises)
    assert verdict.ok
    assert verdict.ids == {"sutra-base-python": base, "sutra-api": api}
    assert [(each.image, each.name) for each in verdict.results] == [
        (name, what)
        for name in ("sutra-base-python", "sutra-api", "release")
        for what in ("installed", "download")
    ]


def test_other_images_are_checked_where_they_are_named(engine: FakeEngine, promises: Any) -> None:
    client: Any = engine
    engine.add(image("1"), "sutra-base-python:prod")
    engine.add(image("123"), "sutra-api:prod")
    other = engine.add(image("1234"))
    verdict = verify.everything(client, promises, {"sutra-api": other})
    assert not verdict.ok
    assert verdict.ids["sutra-api"] == other


def test_an_image_that_is_not_there(engine: FakeEngine, promises: Any) -> None:
    client: Any = engine
    engine.add(image("1"), "sutra-base-python:prod")
    with pytest.raises(SutraError) as caught:
        verify.everything(client, promises)
    assert caught.value.message == 'images.yaml: images.sutra-api: not built "sutra-api:prod"'
