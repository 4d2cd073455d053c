from __future__ import annotations

from pathlib import Path

import pytest

from scripts.build import dockerignore


@pytest.mark.parametrize(
    ("lines", "file", "is_out"),
    [
        ("a", "a", True),
        ("a", "a/b", True),
        ("a", "b/a", False),
        ("/a/", "a/b", True),
        ("**/a", "b/c/a", True),
        ("**/a", "a", True),
        ("**/a", "b/ba", False),
        ("a/**", "a/b/c", True),
        ("*.pyc", "a.pyc", True),
        ("*.pyc", "b/a.pyc", False),
        ("**/*.pyc", "b/a.pyc", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[ab]c", "bc", True),
        ("a.c", "abc", False),
        ("[b-a]\na", "a", True),
        ("[\na", "a", True),
        ("*\n!a", "a/b", False),
        ("*\n!a", "b", True),
        ("*\n!a\n**/b", "a/b", True),
        ("!a\n*", "a", True),
        ("# a\n\n  b  ", "b", True),
        ("#a", "#a", False),
    ],
)
def test_the_last_pattern_of_a_path_or_a_folder_above_it_decides(
    folder: Path, lines: str, file: str, is_out: bool
) -> None:
    (folder / ".dockerignore").write_text(lines)
    assert dockerignore.read(".", "Dockerfile").has(file) is is_out


def test_paths_are_those_of_the_context(folder: Path) -> None:
    (folder / "bases").mkdir()
    (folder / "bases/.dockerignore").write_text("*\n!lib\n")
    ignored = dockerignore.read("bases", "bases/Dockerfile")
    assert [ignored.has(file) for file in ("bases/lib/a", "bases/other")] == [False, True]


def test_a_dockerfiles_own_list_is_the_only_one(folder: Path) -> None:
    (folder / ".dockerignore").write_text("a")
    (folder / "Dockerfile.dockerignore").write_text("b")
    ignored = dockerignore.read(".", "Dockerfile")
    assert [ignored.has(file) for file in ("a", "b")] == [False, True]


def test_without_a_list_nothing_is_left_out(folder: Path) -> None:
    assert not dockerignore.read(".", "Dockerfile").has("a")
    (folder / ".dockerignore").write_bytes(b"\xff*\n")
    assert not dockerignore.read(".", "Dockerfile").has("a")
