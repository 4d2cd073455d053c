"""Files are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.common import files
from scripts.common.errors import DiskError


def test_a_file_is_written_with_its_folders_and_nothing_beside_it(tmp_path: Path) -> None:
    place = tmp_path / "a" / "b" / "file.json"
    files.write(place, "ü\n", "test", "free space")
    assert place.read_bytes() == "ü\n".encode()
    assert list(place.parent.iterdir()) == [place]


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced(tmp_path: Path, durable: bool) -> None:
    place = tmp_path / "file"
    place.write_text("old")
    files.replace(place, "new", tmp_path / "partial", durable)
    assert place.read_text() == "new"
    assert list(tmp_path.iterdir()) == [place]


def test_a_place_that_cannot_be_written_is_one_line_and_keeps_what_was_there(
    tmp_path: Path,
) -> None:
    place = tmp_path / "folder"
    (place / "inner").mkdir(parents=True)
    with pytest.raises(DiskError) as caught:
        files.write(place, "new", "report", "free space")
    assert caught.value.message == f'report: cannot write "{place}": Is a directory'
    assert caught.value.tip == "free space"
    assert list(tmp_path.iterdir()) == [place]


def test_an_interrupt_leaves_nothing_beside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "file"
    place.write_text("old")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write(place, "new", "test", "free space")
    assert place.read_text() == "old"
    assert list(tmp_path.iterdir()) == [place]


def test_processes_of_one_id_do_not_take_each_other_s_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two containers share a cache: the second writes before the first has renamed its part."""
    place = tmp_path / "file"
    monkeypatch.setattr("os.getpid", lambda: 7)
    rename = Path.replace
    calls: list[Path] = []

    def first(path: Path, target: Path) -> Path:
        if not calls:
            calls.append(path)
            files.write(place, "second", "test", "free space")
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", first)
    files.write(place, "first", "test", "free space")
    assert place.read_text() == "first"
    assert list(tmp_path.iterdir()) == [place]
