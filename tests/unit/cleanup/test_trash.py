from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sutra_cleanup.errors import CleanupError
from sutra_cleanup.trash import Change, Trash

from tests.unit.cleanup.trees import TREES, Link, files, make, nested, snapshot


def beside(tree: Path) -> list[str]:
    return sorted(path.name for path in tree.parent.iterdir())


def test_a_moved_file_is_out_of_the_tree_and_kept(tmp_path: Path) -> None:
    tree = make(tmp_path / "tree", {"a/x": "1", "a/y": "2"})
    with Trash(tree) as trash:
        trash.move('rule "r"', "a/x")
        assert files(tree) == ["a/y"]
        assert trash.changes == [Change('rule "r"', "a/x")]
        assert Path(trash.original(0)).read_text() == "1"
        assert len(beside(tree)) == 2


def test_the_folder_is_gone_afterwards(tmp_path: Path) -> None:
    tree = make(tmp_path / "tree", {"x": "1"})
    with Trash(tree) as trash:
        trash.move("r", "x")
    assert (files(tree), beside(tree)) == ([], ["tree"])


def test_the_folder_is_gone_after_an_error_too(tmp_path: Path) -> None:
    tree = make(tmp_path / "tree", {"x": "1"})
    with pytest.raises(KeyboardInterrupt), Trash(tree):
        raise KeyboardInterrupt
    assert beside(tree) == ["tree"]


def test_a_folder_that_is_empty_now_goes_and_comes_back_as_it_was(tmp_path: Path) -> None:
    tree = make(tmp_path / "tree", {"a/b/x": "1"})
    (tree / "a/b").chmod(0o700)
    before = snapshot(tree)
    with Trash(tree) as trash:
        trash.move("r", "a/b/x")
        assert snapshot(tree) == {}
        trash.put_all_back()
        assert snapshot(tree) == before
        trash.take_out_again([0])
        assert snapshot(tree) == {}
        trash.put_all_back()
        assert snapshot(tree) == before


def test_what_was_made_goes_and_comes_with_its_change(tmp_path: Path) -> None:
    tree = make(tmp_path / "tree", {"x.py": "source"})
    with Trash(tree) as trash:
        trash.move("bytecode", "x.py", added=("x.pyc", "never-made"))
        make(tree, {"x.pyc": "code"})
        after = snapshot(tree)
        trash.put_back([0])
        assert files(tree) == ["x.py"]
        trash.take_out_again([0])
        assert snapshot(tree) == after


def test_two_changes_of_one_file_are_undone_the_last_first(tmp_path: Path) -> None:
    tree = make(tmp_path / "tree", {"z.so": "whole", "y.so": "other"})
    before = snapshot(tree)
    with Trash(tree) as trash:
        trash.move("strip", "z.so", added=("z.so",))
        make(tree, {"z.so": "small"})
        trash.move("dedupe", "z.so", added=("z.so",))
        make(tree, {"z.so": Link("y.so")})
        after = snapshot(tree)
        trash.put_all_back()
        assert snapshot(tree) == before
        trash.take_out_again([1, 0])
        assert snapshot(tree) == after


def test_what_is_back_already_is_not_put_back_again(tmp_path: Path) -> None:
    tree = make(tmp_path / "tree", {"x": "1", "y": "2"})
    before = snapshot(tree)
    with Trash(tree) as trash:
        trash.move("r", "x")
        trash.move("r", "y")
        trash.put_back([0])
        trash.put_all_back()
        trash.put_all_back()
        assert snapshot(tree) == before


def test_a_link_is_moved_and_not_what_it_points_to(tmp_path: Path) -> None:
    make(tmp_path, {"outside/x": "1"})
    tree = make(tmp_path / "tree", {"link": Link("../outside"), "loop": Link("loop")})
    with Trash(tree) as trash:
        trash.move("r", "link")
        trash.move("r", "loop")
    assert files(tree) == []
    assert files(tmp_path / "outside") == ["x"]


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt("again"), OSError(28, "No space left on device")]
)
def test_originals_stay_where_they_could_not_be_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    tree = make(tmp_path / "tree", {"a/x": "1", "y": "2"})
    aside = f"{tree}.cleanup-{os.getpid()}"

    def fails(*_: object) -> None:
        raise error

    def interrupted() -> None:
        with Trash(tree) as trash:
            trash.move("r", "a/x")
            trash.move("r", "y")
            monkeypatch.setattr("sutra_cleanup.trash.Trash._folders", fails)
            trash.put_all_back()

    with pytest.raises(CleanupError) as caught:
        interrupted()
    assert caught.value.message == (
        f"cleanup: 2 changes of the tree could not be undone: {type(error).__name__}: {error}: "
        f'the originals are in "{aside}"'
    )
    assert caught.value.tip == "build the tree again, or move them back by hand"
    assert caught.value.exit_code == 2
    assert [Path(f"{aside}/{number}").read_text() for number in (0, 1)] == ["1", "2"]


@pytest.mark.parametrize("at", range(12))
def test_an_interrupt_at_any_rename_leaves_what_can_be_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """The interrupt comes right after the rename, or in place of it."""
    tree = make(tmp_path / "tree", {"a/x": "1", "z.so": "whole"})
    before = snapshot(tree)
    rename, calls = os.rename, [0]

    def interrupted(source: str, target: str) -> None:
        calls[0] += 1
        if calls[0] != at // 2 + 1 or at % 2:
            rename(source, target)
        if calls[0] == at // 2 + 1:
            raise KeyboardInterrupt

    def work(trash: Trash) -> None:
        trash.move("r", "a/x")
        trash.move("strip", "z.so", added=("z.so",))
        make(tree, {"z.so": "small"})
        trash.put_back([1])
        trash.take_out_again([1])

    with Trash(tree) as trash:
        monkeypatch.setattr(os, "rename", interrupted)
        with pytest.raises(KeyboardInterrupt):
            work(trash)
        trash.put_all_back()
    assert snapshot(tree) == before


def test_a_thousand_nested_folders_go_and_come_back(tmp_path: Path) -> None:
    tree = make(tmp_path / "tree", {})
    with nested(tree, 1200) as deep, Trash(tree) as trash:
        make(tree, {f"{deep}x": "1"})
        trash.move("r", f"{deep}x")
        assert os.listdir(tree) == []
        trash.put_all_back()
        assert (tree / deep / "x").read_text() == "1"


@given(TREES, st.data())
def test_moving_and_putting_back_are_inverses(
    content: dict[str, str | bytes | Link], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree = make(Path(folder) / "tree", content)
        paths = files(tree)
        for path in paths:
            if not os.path.islink(tree / path):
                os.chmod(tree / path, data.draw(st.sampled_from([0o644, 0o755, 0o600, 0o444])))
        before = snapshot(tree)
        chosen = [path for path in paths if data.draw(st.booleans())]
        with Trash(tree) as trash:
            for path in chosen:
                added = (f"{path}.made",) if data.draw(st.booleans()) else ()
                trash.move("r", path, added)
                make(tree, dict.fromkeys(added, b"new"))
            after = snapshot(tree)
            some = [number for number in range(len(chosen)) if data.draw(st.booleans())]
            trash.put_back(some)
            trash.take_out_again(reversed(some))
            assert snapshot(tree) == after
            trash.put_back(some)
            trash.put_all_back()
            assert snapshot(tree) == before
        assert beside(tree) == ["tree"]
        assert snapshot(tree) == before
