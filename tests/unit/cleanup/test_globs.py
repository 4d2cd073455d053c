from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sutra_cleanup.globs import Folder, Glob, Matcher

from tests.unit.cleanup.trees import GLOBS, NAMES, TREES, Link, files, make

# ---- what a glob names -----------------------------------------------------


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        # a name, at any depth
        ("x.py", "x.py"),
        ("x.py", "a/x.py"),
        ("x.py", "a/b/c/x.py"),
        ("a/x.py", "a/x.py"),
        ("a/x.py", "b/a/x.py"),
        # anchored at the top
        ("./x.py", "x.py"),
        ("./a/x.py", "a/x.py"),
        ("./*.py", "x.py"),
        # within one component
        ("*.py", "a/.py"),
        ("a*", "b/a"),
        ("?.py", "a/x.py"),
        ("x[12].py", "x1.py"),
        ("x[0-9].py", "x7.py"),
        ("x[!12].py", "x3.py"),
        ("x[^12].py", "x^.py"),
        ("x[]].py", "x].py"),
        ("x[a.py", "x[a.py"),
        ("[[]x", "[x"),
        ("a.b", "a.b"),
        ("*-info/LICENSE*", "lib/x.dist-info/LICENSE.txt"),
        # any number of folders
        ("a/**/x.py", "a/x.py"),
        ("a/**/x.py", "a/b/x.py"),
        ("a/**/x.py", "a/b/c/x.py"),
        ("**/x.py", "x.py"),
        ("./**/x.py", "a/b/x.py"),
        ("./a/**/b/", "a/c/d/b/x"),
        # a folder, with all below it
        ("tests/", "tests/x.py"),
        ("tests/", "a/tests/b/c/x.py"),
        ("a/tests/", "b/a/tests/x.py"),
        ("./tests/", "tests/a/x.py"),
        ("te*/", "a/tests/x"),
        # names that are not text
        ("*.py", "line\nbreak.py"),
        ("*.py", "raw\udcff\udc80.py"),
        ("line\nbreak/", "line\nbreak/x"),
        ("line?break", "a/line\nbreak"),
        ("raw\udcff", "a\n\udcff/raw\udcff"),
        ("a/**/x", "a/\n/\udcff/x"),
        ("[!a]", "\n"),
    ],
)
def test_a_glob_names(glob: str, path: str) -> None:
    assert Glob(glob).matches(path)


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("x.py", "x.pyc"),
        ("x.py", "ax.py"),
        ("x.py", "x.py/a"),
        ("x.py", "X.py"),
        ("a/x.py", "x.py"),
        ("a/x.py", "ba/x.py"),
        ("a/x.py", "a/b/x.py"),
        ("./x.py", "a/x.py"),
        ("./a/x.py", "b/a/x.py"),
        ("./*.py", "a/x.py"),
        ("a.b", "axb"),
        ("a*b", "a/b"),
        ("a?b", "a/b"),
        ("x[12].py", "x3.py"),
        ("x[!12].py", "x1.py"),
        ("x[^12].py", "x3.py"),
        ("a/**/x.py", "b/x.py"),
        ("a/**/x.py", "ab/x.py"),
        ("a/**/x.py", "a/ax.py"),
        ("tests/", "tests"),
        ("tests/", "mytests/x.py"),
        ("tests/", "tests.py"),
        ("tests/", "a/tests"),
        ("./tests/", "a/tests/x.py"),
        ("*.py", "x.py\n"),
        ("x", "x\n"),
        ("tests/", "tests\n/x"),
        ("./a/*", "a/b/c"),
    ],
)
def test_a_glob_does_not_name(glob: str, path: str) -> None:
    assert not Glob(glob).matches(path)


@pytest.mark.parametrize("glob", ["a[!x]b/", "a[!x]b/*", "./a[!x]b/c", "a[+-9]b/"])
def test_brackets_stay_within_one_component(glob: str) -> None:
    assert not Glob(glob).matches("a/b/c")


@pytest.mark.parametrize(
    "glob",
    [
        "[z-a]",
        "[!]",
        "[!]]",
        "[]",
        "[!",
        "[",
        "[a",
        "[]a]",
        "[!]a]",
        "[a-]",
        "[-a]",
        "[\\]",
        "[a\\-z]",
        "[[a]",
        "[a[]",
        "[^]",
        "[^a]",
        "[a^]",
        "[a--]",
        "[!z-a]",
        "[&&]",
        "[~~]",
        "[||]",
    ],
)
def test_brackets_follow_the_rules_of_fnmatch(glob: str) -> None:
    names = ["[", "]", "a", "z", "!", "^", "-", "\\", "&", "~", "|", "m", glob]
    matches = [name for name in names if Glob(glob).matches(name)]
    assert matches == [name for name in names if fnmatchcase(name, glob)]


# ---- what is refused -------------------------------------------------------

ALONE = "** must be a whole path component; end with / to match everything in a folder"


@pytest.mark.parametrize(
    ("glob", "problem"),
    [
        ("", "matches everything"),
        ("/", "matches everything"),
        ("./", "matches everything"),
        ("*", "matches everything"),
        ("*/", "matches everything"),
        ("**", "matches everything"),
        ("**/", "matches everything"),
        ("/etc/passwd", "absolute"),
        ("//", "absolute"),
        ("/*", "absolute"),
        ("..", "leaves the tree"),
        ("../", "leaves the tree"),
        ("../x", "leaves the tree"),
        ("./../x", "leaves the tree"),
        ("a/../../x", "leaves the tree"),
        ("a/..", "leaves the tree"),
        ("a/../", "leaves the tree"),
        (".", "not a path"),
        ("a//b", "not a path"),
        (".//x", "not a path"),
        ("a/./b", "not a path"),
        ("a\0b", "not a path"),
        ("a**b", ALONE),
        ("a**/b", ALONE),
        ("***", ALONE),
        ("a/**", ALONE),
        ("a/**/", ALONE),
        ("./**", "matches everything"),
        ("./**/", "matches everything"),
    ],
)
def test_a_glob_is_refused(glob: str, problem: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is asserted
        Glob(glob)
    assert str(caught.value) == problem


@pytest.mark.parametrize("glob", ["**/*", "./**/*", "**/**/*", "**/*/", "*//", "./**/*/"])
def test_a_longer_spelling_of_everything_is_refused(glob: str) -> None:
    with pytest.raises(ValueError, match=r"^matches everything$"):
        Glob(glob)


@pytest.mark.parametrize("glob", ["...", "a..b", "..a/", "./*", "a/*", "*.py", "[.][.]", "~/x"])
def test_a_glob_that_only_looks_dangerous_is_accepted(glob: str) -> None:
    assert Glob(glob).text == glob


# ---- the reference ---------------------------------------------------------


def named(glob: str, path: str) -> bool:
    """Match as the documentation describes a glob, component by component."""
    parts = glob.removeprefix("./").rstrip("/").split("/")
    have = path.split("/")
    ends = range(1, len(have)) if glob.endswith("/") else [len(have)]
    starts = [0] if glob.startswith("./") else range(len(have))
    return any(_named(parts, have[start:end]) for end in ends for start in starts if start < end)


def _named(parts: list[str], have: list[str]) -> bool:
    if not parts:
        return not have
    if parts[0] == "**":
        return any(_named(parts[1:], have[skipped:]) for skipped in range(len(have) + 1))
    return bool(have) and fnmatchcase(have[0], parts[0]) and _named(parts[1:], have[1:])


def valid(glob: str) -> bool:
    try:
        return bool(Glob(glob))
    except ValueError:
        return False


VALID = GLOBS.filter(valid)


@given(VALID, st.lists(NAMES, min_size=1, max_size=5).map("/".join))
@example("./a/**/a/", "a/a/a")
def test_a_glob_is_what_its_components_are(glob: str, path: str) -> None:
    assert Glob(glob).matches(path) == named(glob, path)


# ---- many at once ----------------------------------------------------------


def walked(matcher: Matcher, paths: list[str]) -> Iterator[tuple[str, int | None]]:
    """Ask a matcher of each path as a walk would: folder by folder."""
    for path in paths:
        here, at = matcher.root(), ""
        for part in path.split("/")[:-1]:
            at += part + "/"
            here = matcher.enter(here, at)
        yield path, Matcher.match(here, path.rpartition("/")[2])


@given(st.lists(VALID, max_size=6), TREES)
def test_a_walk_finds_what_the_globs_find_one_by_one(
    texts: list[str], tree: dict[str, str | bytes | Link]
) -> None:
    globs = [Glob(text) for text in texts]
    with tempfile.TemporaryDirectory() as folder:
        paths = files(make(Path(folder), tree))
    for path, label in walked(Matcher(enumerate(globs)), paths):
        labels = [number for number, glob in enumerate(globs) if glob.matches(path)]
        assert (label is None) == (not labels)
        assert label is None or label in labels


@pytest.mark.parametrize(
    ("globs", "path", "label"),
    [
        ([(7, "*.py"), (8, "x.py")], "x.py", 7),
        ([(8, "x.py"), (7, "*.py")], "x.py", 8),
        ([(1, "a/"), (2, "a*/")], "a/x", 1),
        ([(2, "a*/"), (1, "a/")], "a/x", 2),
        ([(3, "./b/x"), (4, "x")], "a/x", 4),
        ([(3, "./a/x"), (4, "x")], "a/x", 3),
        ([(0, "(a)|b"), (1, "x")], "x", 1),
        ([(5, "a/"), (6, "a/b/")], "a/b/c/x", 5),
    ],
)
def test_the_first_glob_of_its_kind_gives_the_label(
    globs: list[tuple[int, str]], path: str, label: int
) -> None:
    matcher = Matcher((number, Glob(text)) for number, text in globs)
    assert dict(walked(matcher, [path])) == {path: label}


def test_no_globs_name_nothing() -> None:
    matcher = Matcher([])
    assert matcher.root() == Folder(None, None, ())
    assert Matcher.match(matcher.enter(matcher.root(), "a/"), "x") is None


def test_names_on_disk_that_are_not_text_are_matched_as_bytes(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"b\xe9ta.py")).touch()
    assert [Glob("b?ta.py").matches(name) for name in os.listdir(tmp_path)] == [True]
