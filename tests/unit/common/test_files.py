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
