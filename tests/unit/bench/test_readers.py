"""Reading images beside other tools, and a catalogue of very many."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from scripts.bench import readers, structure_test
from scripts.catalog import catalog
from scripts.checks.sizes import budgets, measure
from scripts.engine import client as engine
from tests.unit.fakes import program

PROMISES = """
release: {budget: {installed: 1 MB, download: 1 MB}}
images:
  one: {budget: {installed: 1 MB, download: 1 MB}}
  two: {budget: {installed: 1 MB, download: 1 MB}}
"""


@pytest.fixture
def peers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Programs that write down what they were started with; ask for the lines of one."""
    (folder / "images.yaml").write_text(PROMISES)
    for name, place in (("dive", "bin"), ("container-structure-test", "bin"), ("syft", "path")):
        program(folder / place, name, f'echo "$@" >>{folder}/{name}.lines\n')
    monkeypatch.setattr(sys, "executable", str(folder / "bin/python"))
    monkeypatch.setattr(readers, "_ours", lambda images: 0.01 * len(images))
    monkeypatch.setattr(engine, "connect", lambda: None)
    monkeypatch.setattr(structure_test, "seconds", lambda client, program, image, folder: 0.5)
    monkeypatch.setattr(readers, "COUNTS", ())
    monkeypatch.setattr("scripts.common.terminal.console", lambda: Console(width=100))
    return lambda name: (folder / f"{name}.lines").read_text().splitlines()


def test_every_reader_reads_every_image_in_each_run(
    peers: Callable[[str], list[str]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{folder / 'path'}:/usr/bin:/bin")
    rows = dict(readers.readers(2))
    assert rows["sizes, owners and contents"] == 0.02
    assert rows["container-structure-test"] == 1.0
    assert list(rows)[1:] == ["dive, CI=true", "container-structure-test", "syft"]
    assert peers("dive") == ["one:prod", "two:prod"] * 2
    options = "--output spdx-json --quiet"
    assert peers("syft") == [f"scan docker:{name}:prod {options}" for name in ("one", "two")] * 2


def test_a_syft_that_is_not_installed_is_a_row_with_a_tip(
    peers: Callable[[str], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert readers.main(argparse.Namespace()) == 0
    rows = [line.strip("│ ").split("│") for line in capsys.readouterr().out.splitlines()]
    cells = [[cell.strip() for cell in row] for row in rows]
    assert ["sizes, owners and contents", "0.02", "1.00×"] in cells
    assert ["container-structure-test", "1.00", "50.00×"] in cells
    assert ["syft", "not installed"] in cells
    tip = "tip: `go install github.com/anchore/syft/cmd/syft@v1.57.0` puts it into ~/go/bin, "
    assert [tip + "which has to be on PATH"] in cells


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
