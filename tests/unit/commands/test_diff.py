from __future__ import annotations

from pathlib import Path

import pytest

from scripts.commands.diff import write_files
from scripts.common.errors import SutraError
from scripts.engine import client
from scripts.image.inventory import Inventory, read
from tests.unit.fakes import FakeEngine, FakeImage, tar_of


def image(engine: FakeEngine, cache: Path, tag: str, files: dict[str, bytes]) -> Inventory:
    engine.add(FakeImage([tar_of(files)]), tag)
    contents = read(engine, tag, cache)
    assert contents
    return contents


def test_files_of_a_tag_that_moved_meanwhile_are_not_passed_over(
    engine: FakeEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(client, "connect", lambda: engine)
    before = image(engine, tmp_path / "c", "a:1", {"same": b"1", "old": b"2"})
    after = image(engine, tmp_path / "c", "a:2", {"same": b"1", "new": b"3", "newer": b"4"})
    image(engine, tmp_path / "c", "a:2", {"same": b"1", "new": b"3", "newer": b"5"})
    folder = tmp_path / "out"
    with pytest.raises(SutraError) as caught:
        write_files(before, after, folder)
    assert caught.value.message == 'diff: 1 of 2 files are no longer in "a:2"'
    assert caught.value.tip == f"remove {folder}, then run the same command again"
    assert capsys.readouterr().err == (
        f"diff: 1 files in {folder}/before\ndiff: 1 files in {folder}/after\n"
    )
