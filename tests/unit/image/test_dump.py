"""Files that differ between two images, written into a folder: hostile names as well."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from scripts.common.errors import SutraError
from scripts.image import dump
from scripts.image.inventory import Inventory, read
from tests.unit.fakes import FakeEngine, FakeImage, tar_of

BASE = tar_of({"same": b"1", "changed": b"old", "gone": b"2", "deep/er/file": b"x"})


def image(engine: FakeEngine, cache: Path, tag: str, layers: list[bytes]) -> Inventory:
    engine.add(FakeImage(layers), tag)
    contents = read(engine, tag, cache)
    assert contents
    return contents


def written(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_files_that_differ_are_written_as_each_image_has_them(
    engine: FakeEngine, tmp_path: Path
) -> None:
    old = image(engine, tmp_path / "c", "a:1", [BASE])
    changes = tar_of({"changed": b"new", ".wh.gone": b"", "came": b"3", "deep/er/file": b"y"})
    new = image(engine, tmp_path / "c", "a:2", [BASE, changes])
    folder = tmp_path / "out"
    dump.prepare(folder)
    counts = [
        dump.write(engine, contents, dump.differing(contents, other), folder / name)
        for contents, other, name in ((old, new, dump.BEFORE), (new, old, dump.AFTER))
    ]
    assert counts == [3, 3]
    assert written(folder) == {
        "before/changed": b"old",
        "before/gone": b"2",
        "before/deep/er/file": b"x",
        "after/changed": b"new",
        "after/came": b"3",
        "after/deep/er/file": b"y",
    }


def test_nothing_is_written_for_images_that_are_the_same(
    engine: FakeEngine, tmp_path: Path
) -> None:
    contents = image(engine, tmp_path / "c", "a:1", [BASE])
    assert dump.differing(contents, contents) == {}
    assert dump.write(engine, contents, {}, tmp_path / "out") == 0
    assert not (tmp_path / "out").exists()


def test_links_and_names_that_lead_outside_are_never_followed(
    engine: FakeEngine, tmp_path: Path
) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        link = tarfile.TarInfo("out")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "victim")
        archive.addfile(link)
        entry = tarfile.TarInfo("out/file")
        entry.size = 4
        archive.addfile(entry, io.BytesIO(b"evil"))
    (tmp_path / "victim").mkdir()
    contents = image(engine, tmp_path / "c", "a:1", [buffer.getvalue()])
    other = image(engine, tmp_path / "c", "a:2", [BASE])
    wanted = {**dump.differing(contents, other), "out/file": "sha256:1", "../x": "sha256:2"}
    dump.write(engine, contents, wanted, tmp_path / "out")
    assert list((tmp_path / "victim").iterdir()) == []
    assert not (tmp_path / "x").exists()


def test_a_folder_that_holds_something_or_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    with pytest.raises(SutraError) as caught:
        dump.prepare(tmp_path)
    assert caught.value.message == f'FILES: not an empty folder "{tmp_path}"'
    with pytest.raises(SutraError) as caught:
        dump.prepare(tmp_path / "kept")
    assert caught.value.message == f'FILES: cannot be a folder "{tmp_path / "kept"}": File exists'


def test_an_image_that_is_gone_is_one_line(engine: FakeEngine, tmp_path: Path) -> None:
    contents = image(engine, tmp_path / "c", "a:1", [BASE])
    engine.tags.clear()
    with pytest.raises(SutraError) as caught:
        dump.write(engine, contents, {"same": "sha256:1"}, tmp_path / "out")
    assert caught.value.message == 'diff: no such image "a:1"'
