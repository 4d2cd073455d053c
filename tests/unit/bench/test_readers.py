from __future__ import annotations

from pathlib import Path

import pytest

from scripts.bench import readers
from scripts.catalog import catalog
from scripts.checks.sizes import budgets, measure
from scripts.engine import client as engine


def test_a_catalogue_of_many_images_is_verified_without_reading_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = readers.catalogue(folder, 60)
    promises = catalog.load()
    with readers.engine_of(images) as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        client = engine.connect()
        results = budgets.verify(promises, measure.measure_all(client, promises))
        client.close()
    assert len(results) == 2 * 61
    assert all(result.ok for result in results)
    # 50 shared layers and 60 others, a megabyte each
    assert [result.actual for result in results[-2:]] == [110_000_000, 44_000_000]
