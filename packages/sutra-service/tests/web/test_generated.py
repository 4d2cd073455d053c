"""What the standard library generates at a start is kept by a build, and taken from there."""

import marshal
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sutra_service

SOURCE = Path(sutra_service.__file__).parent
APP = """
import re
from dataclasses import dataclass

@dataclass(frozen=True)
class Point:
    x: int
    y: int = 2

WORDS = re.compile(r"(?P<first>[a-z]+) (\\w+)", re.IGNORECASE)
BYTES = re.compile(rb"[\\x80-\\xff]{2,3}")
"""
# prints how many patterns and sources of the app were compiled, and what became of them
START = """
import builtins, re
from sutra_service.web.startup import quick_imports
compiled = []
compile_code, execute = re._compiler._code, builtins.exec
re._compiler._code = lambda *given: compiled.append(given[0].state.str) or compile_code(*given)
builtins.exec = lambda source, *names: compiled.append(source) or execute(source, *names)
with quick_imports():
    import app
ours = {r"(?P<first>[a-z]+) (\\w+)", rb"[\\x80-\\xff]{2,3}"}
texts = [each for each in compiled if isinstance(each, str | bytes)]
print(len(ours & {*texts}), sum("dflt_y" in str(each) for each in texts), end=" ")
print(app.Point(1), app.Point(1) == app.Point(1, 2), hash(app.Point(1)) == hash((1, 2)), end=" ")
found = app.WORDS.fullmatch("One two")
print(found["first"], found[2], app.WORDS.flags == 34, app.WORDS.groupindex, end=" ")
print(app.BYTES.fullmatch(b"\\x80\\xff") is not None, app.BYTES.search(b"a\\x80"))
"""
ANSWER = "Point(x=1, y=2) True True One two True {'first': 1} True None\n"
KEPT = "sutra_service/web/kept.pyc"


def filled(folder: Path) -> Path:
    """Make a folder like an image's /app: a copy of the package, and an app."""
    shutil.copytree(SOURCE, folder / "sutra_service", ignore=shutil.ignore_patterns("kept.pyc"))
    (folder / "app.py").write_text(APP)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder in which nothing is kept yet."""
    return filled(tmp_path)


def run(folder: Path, *words: str, seed: str = "0") -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-X", "no_debug_ranges", *words],
        cwd=folder,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


def generate(folder: Path, *words: str, seed: str = "0") -> tuple[int, str, str]:
    return run(folder, "-m", "sutra_service.web.generate", "app", *words, seed=seed)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[int, str, str]]:
    """Return a folder in which a build kept what it generates, and how that run ended."""
    folder = filled(tmp_path_factory.mktemp("built"))
    return folder, generate(folder)


@pytest.fixture
def built_folder(tmp_path: Path, built: tuple[Path, tuple[int, str, str]]) -> Path:
    """Return a copy of it that a test may change; the build itself is a start of Python."""
    return Path(shutil.copytree(built[0], tmp_path / "built"))


def test_a_start_takes_what_was_kept_and_behaves_the_same(
    folder: Path, built: tuple[Path, tuple[int, str, str]]
) -> None:
    assert run(folder, "-c", START) == (0, f"2 1 {ANSWER}", "")
    built_folder, (code, out, said) = built
    assert (code, out) == (0, "")
    assert said.startswith("kept: ")
    assert run(built_folder, "-c", START) == (0, f"0 0 {ANSWER}", "")


def test_the_same_bytes_are_kept_by_every_run(folder: Path) -> None:
    kept = []
    for seed in ("1", "2"):
        assert generate(folder, seed=seed)[0] == 0
        kept.append((folder / KEPT).read_bytes())
        (folder / KEPT).unlink()
    assert kept[0] == kept[1]


def test_the_proof_fails_where_this_python_generates_something_else(built_folder: Path) -> None:
    code, out, said = generate(built_folder, "--prove")
    assert (code, out) == (0, "")
    assert said.startswith("proved: ")
    with (built_folder / "app.py").open("a") as file:
        file.write('OTHER = re.compile("other")\n')
    problem = f"{built_folder / KEPT}: not what this Python generates for app\n"
    assert generate(built_folder, "--prove") == (1, "", problem)


def test_the_proof_fails_without_the_file(folder: Path) -> None:
    problem = f"{folder / KEPT}: not what this Python generates for app\n"
    assert generate(folder, "--prove") == (1, "", problem)


@pytest.mark.parametrize("words", [(), ("--prove",)])
def test_a_route_that_cannot_be_read_ends_the_build(
    built_folder: Path, words: tuple[str, ...]
) -> None:
    kept = (built_folder / KEPT).read_bytes()
    with (built_folder / "app.py").open("a") as file:
        file.write(
            "from sutra_service.web.deferred_route import DeferredRoute\n"
            "def wrong(value: re.Scanner) -> None: pass\n"
            'ROUTE = DeferredRoute("/wrong", wrong)\n'
        )
    code, _, said = generate(built_folder, *words)
    assert code == 1
    assert "re.Scanner" in said
    assert (built_folder / KEPT).read_bytes() == kept


def test_what_another_python_kept_is_not_taken(built_folder: Path) -> None:
    kept = (built_folder / KEPT).read_bytes()
    (built_folder / KEPT).write_bytes(b"\0\0" + kept[2:])
    assert run(built_folder, "-c", START) == (0, f"2 1 {ANSWER}", "")


@pytest.mark.parametrize("part", ["head alone", "first half", "other bytes", "another module"])
def test_what_is_damaged_is_not_taken(built_folder: Path, part: str) -> None:
    kept = (built_folder / KEPT).read_bytes()
    half = len(kept) // 2
    other = kept[:16] + marshal.dumps(compile("OTHER = 1", "x", "exec"))
    damaged = {
        "head alone": kept[:16],
        "first half": kept[:half],
        "other bytes": kept[:half] + bytes(64) + kept[half + 64 :],
        "another module": other,
    }
    (built_folder / KEPT).write_bytes(damaged[part])
    assert run(built_folder, "-c", START) == (0, f"2 1 {ANSWER}", "")
    problem = f"{built_folder / KEPT}: not what this Python generates for app\n"
    assert generate(built_folder, "--prove") == (1, "", problem)


def test_a_source_that_changed_is_generated(built_folder: Path) -> None:
    changed = APP.replace("y: int = 2", "y: int = 2\n    z: int = 9").replace("[a-z]+", "[A-Z]+")
    (built_folder / "app.py").write_text(changed)
    code, out, said = run(built_folder, "-c", START)
    assert (code, said) == (0, "")
    assert out == ("0 1 Point(x=1, y=2, z=9) True False One two True {'first': 1} True None\n")


def test_a_dataclass_without_a_docstring_has_its_name_as_one(folder: Path) -> None:
    code = "from sutra_service.web.startup import quick_imports\nwith quick_imports():\n"
    code += "    import app\nprint(app.Point.__doc__)\n"
    code += "from dataclasses import make_dataclass as m\nprint(m('After', [('a', int)]).__doc__)"
    assert run(folder, "-c", code) == (0, "Point\nAfter(a: int)\n", "")
