from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sutra_cleanup import __main__ as module
from sutra_cleanup import manifest, tree
from sutra_cleanup.errors import CleanupError

from tests.support import extent
from tests.unit.cleanup.test_globs import VALID
from tests.unit.cleanup.trees import (
    LIB,
    SITE,
    TREES,
    Link,
    distribution,
    files,
    library,
    make,
    needs_gcc,
    nested,
    snapshot,
    venv,
)

SHARED = LIB.parent / "cleanup/python.yaml"
RULES = """
strip: verified
dedupe: true
bytecode: {default: sourceless, source: [app/]}
rules:
  caches: {why: made again, remove: ["__pycache__/"]}
  tests: {why: "they run in another stage", remove: [tests/, "*.md"]}
  needed: {why: imported, keep: [one/tests/needed.py]}
prove: {import: [one], run: [python, -c, import two]}
"""
MODULES: dict[str, str | bytes | Link] = {
    **distribution(
        "one",
        {
            "one/__init__.py": "from one.tests import needed\n",
            "one/tests/__init__.py": "",
            "one/tests/needed.py": "",
            "one/tests/test_a.py": "assert 1\n",
            "one/README.md": "text\n",
        },
    ),
    **distribution("two", {"two.py": "X = 1\n"}),
    "app/__init__.py": "",
    "__pycache__/two.cpython-311.pyc": "stale",
    "one/a.so": b"\x7fELF no library",
    "one/b.so": b"\x7fELF no library",
    "bad.py": "print 'Python 2'\n",
}


@dataclass(frozen=True)
class Ran:
    """The result of a call of the command."""

    code: int
    out: str
    err: str


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "cleanup.yaml").write_text(RULES)
    venv(tmp_path / "tree", MODULES)
    return tmp_path / "tree"


def call(root: Path, *more: str, file: str = "cleanup.yaml", python: str = "") -> Ran:
    words = [
        sys.executable,
        "-B",
        "-m",
        "sutra_cleanup",
        "--tree",
        str(root),
        "--manifest",
        str(root.parent / file),
        "--python",
        python or f"{root}/bin/python",
    ]
    done = subprocess.run(
        [*words, *more],
        capture_output=True,
        text=True,
        cwd=root.parent,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(LIB), "PYTHONUTF8": "1"},
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def outside(root: Path) -> list[str]:
    return sorted(path.name for path in root.parent.iterdir())


# ---- dry run ---------------------------------------------------------------


def test_a_dry_run_shows_what_would_leave_and_changes_nothing(root: Path) -> None:
    before = snapshot(root)
    assert call(root, "--dry-run", "--report", str(root.parent / "report.json")) == Ran(
        0,
        f"""\
caches: 1 files, 5 bytes: made again
  {SITE}/__pycache__/two.cpython-311.pyc
tests: 3 files, 14 bytes: they run in another stage
  {SITE}/one/README.md
  {SITE}/one/tests/__init__.py
  {SITE}/one/tests/test_a.py
by package:
  one: 3 files, 14 bytes
  __pycache__: 1 files, 5 bytes
""",
        "",
    )
    assert snapshot(root) == before
    assert outside(root) == ["cleanup.yaml", "tree"]


def test_a_dry_run_needs_no_interpreter_and_no_environment(root: Path) -> None:
    assert call(root, "--dry-run", python="/nonexistent").code == 0


def test_a_glob_that_matches_nothing_is_a_warning(root: Path) -> None:
    (root.parent / "cleanup.yaml").write_text(RULES.replace("tests/, ", "test/, tests/, "))
    ran = call(root, "--dry-run")
    assert (ran.code, ran.err) == (
        0,
        'warning: cleanup.yaml: rules.tests: matches nothing "test/", nearest is "tests"\n',
    )


# ---- a clean run -----------------------------------------------------------

# suffix of modules without sources
DECLARED = (
    ["one-1.0.dist-info/top_level.txt", "two-1.0.dist-info/top_level.txt"]
    if sys.version_info < (3, 12)
    else []
)
CLEAN = sorted(
    ["bin/python", "pyvenv.cfg"]
    + [
        f"{SITE}/{path}"
        for path in (
            "app/__init__.py",
            "bad.py",
            "one-1.0.dist-info/METADATA",
            "one-1.0.dist-info/RECORD",
            "one/__init__.pyc",
            "one/a.so",
            "one/b.so",
            "one/tests/needed.pyc",
            "two-1.0.dist-info/METADATA",
            "two-1.0.dist-info/RECORD",
            "two.pyc",
            *DECLARED,
        )
    ]
)


def test_a_clean_run_leaves_what_the_rules_leave(root: Path) -> None:
    ran = call(root)
    assert (ran.code, ran.err) == (0, "")
    assert files(root) == CLEAN
    assert os.readlink(root / SITE / "one/b.so") == "a.so"
    assert ran.out.splitlines()[:6] == [
        "rule                               files       MB",
        "tests                                  3     0.00",
        "caches                                 1     0.00",
        "strip                                  0     0.00",
        "dedupe                                 1     0.00",
        "descriptions                           0     0.00",
    ]
    assert ran.out.splitlines()[-2:] == [
        "bytecode: 3 sourceless, 0 cached, 2 sources alone, 1 do not compile, 0 without docstrings",
        "0.00 MB → 0.00 MB, 4 modules and 0 entry points proven",
    ]
    assert outside(root) == ["cleanup.yaml", "tree"]


def test_the_reports_sums_are_what_left(root: Path) -> None:
    before = sum(len(content) for mode, content in snapshot(root).values() if mode >> 12 == 0o10)
    place = root.parent / "out/cleanup.json"
    assert call(root, "--report", str(place)).code == 0
    after = sum(len(content) for mode, content in snapshot(root).values() if mode >> 12 == 0o10)
    document = json.loads(place.read_text())
    assert list(document) == [
        "manifest",
        "tree",
        "before",
        "after",
        "rules",
        "packages",
        "stripped",
        "deduped",
        "described",
        "compiled",
        "recorded",
        "proven",
        "entry_points",
        "broken",
        "stand_ins",
    ]
    assert (document["before"], document["after"]) == (before, after)
    assert {name: row["bytes"] for name, row in document["rules"].items()} == {
        "caches": 5,
        "tests": 14,
    }
    assert sum(row["before"] for row in document["packages"].values()) == before
    assert sum(row["after"] for row in document["packages"].values()) == after
    assert document["compiled"]["refused"] == [f"{SITE}/bad.py"]
    assert document["deduped"] == {"files": 1, "saved": 15}
    assert document["proven"] == 4
    assert place.stat().st_size < 10_000


def test_without_bytecode_what_left_is_the_sum_of_the_rules(root: Path) -> None:
    rules = RULES.replace("sourceless, source", "source, cached").replace("app/", "none/")
    (root.parent / "cleanup.yaml").write_text(rules)
    place = root.parent / "cleanup.json"
    assert call(root, "--report", str(place)).code == 0
    document = json.loads(place.read_text())
    left = sum(row["bytes"] for row in document["rules"].values())
    steps = ("stripped", "deduped", "described", "recorded")
    left += sum(document[step]["saved"] for step in steps)
    assert document["before"] - document["after"] == left


@pytest.mark.parametrize("mode", ["source", "cached", "sourceless"])
def test_a_second_run_changes_nothing(root: Path, mode: str) -> None:
    (root.parent / "cleanup.yaml").write_text(RULES.replace("sourceless", mode, 1))
    assert call(root).code == 0
    before = snapshot(root)
    ran = call(root)
    assert ran.code == 0
    assert [line for line in ran.err.splitlines() if "matches nothing" not in line] == []
    assert snapshot(root) == before


def test_a_second_run_counts_the_modules_without_source(root: Path) -> None:
    make(root / SITE, {"vendored/core.pyc": "as it came"})
    modes = []
    for place in (root.parent / "first.json", root.parent / "second.json"):
        assert call(root, "--report", str(place)).code == 0
        compiled = json.loads(place.read_text())["compiled"]
        modes.append((compiled["sourceless"], compiled["cached"], compiled["source"]))
    assert modes == [(4, 0, 2), (4, 0, 2)]


def test_a_second_run_by_the_projects_own_rules_changes_nothing(root: Path) -> None:
    (root.parent / "cleanup.yaml").write_text(f"extends: [{SHARED}]\nprove: {{import: [two]}}")
    make(root / SITE, {"one/__init__.py": ""})
    assert call(root).code == 0
    before = snapshot(root)
    ran = call(root)
    assert (ran.code, ran.err) == (0, "")
    assert snapshot(root) == before


@needs_gcc
def test_libraries_are_stripped_and_linked_in_one_run(root: Path) -> None:
    (root.parent / "cleanup.yaml").write_text("strip: verified\ndedupe: true")
    original = library(root / SITE / "one/a.so")
    make(root / SITE, {"one/b.so": original.read_bytes()})
    (root / SITE / "one/c.so").write_bytes(original.read_bytes())
    place = root.parent / "cleanup.json"
    assert call(root, "--report", str(place)).code == 0
    document = json.loads(place.read_text())
    assert (document["stripped"]["files"], document["deduped"]["files"]) == (3, 2)
    before = snapshot(root)
    assert call(root).code == 0
    assert snapshot(root) == before


# ---- a run that fails ------------------------------------------------------


@pytest.mark.parametrize("mode", ["source", "cached", "sourceless"])
def test_a_broken_proof_leaves_the_tree_byte_identical(root: Path, mode: str) -> None:
    rules = RULES.replace("keep: [one/tests/needed.py]", "keep: [none.py]")
    (root.parent / "cleanup.yaml").write_text(rules.replace("sourceless", mode, 1))
    (root / SITE / "one/tests").chmod(0o700)
    make(root, {"empty/": ""})
    before = snapshot(root)
    ran = call(root, "--report", str(root.parent / "cleanup.json"))
    assert ran == Ran(
        1,
        "",
        'warning: cleanup.yaml: rules.needed: matches nothing "none.py"\n'
        "cleanup: broke \"one\": ModuleNotFoundError: No module named 'one.tests': "
        f'by rule "tests" "{SITE}/one/tests/needed.py"\n'
        'tip: cleanup.yaml: rules: {needed: {why: …, keep: ["one/tests/needed.py"]}}\n',
    )
    assert snapshot(root) == before
    assert outside(root) == ["cleanup.yaml", "tree"]


@pytest.mark.parametrize(
    ("text", "err"),
    [
        (
            "rulez: {}",
            'cleanup.yaml: unknown key "rulez", did you mean "rules"?\n'
            "tip: fix cleanup.yaml, then build again\n",
        ),
        (
            "prove: {import: [tow]}",
            'cleanup.yaml: prove.import: fails before the cleanup "tow": '
            "ModuleNotFoundError: No module named 'tow'\n"
            "tip: install what it needs, or correct the name\n",
        ),
        (
            "rules: {all: {why: a, remove: [two.py]}}",
            'cleanup.yaml: rules.all.remove: would empty the package "two"\n'
            "tip: remove it from the lock instead, or keep what is imported of it\n",
        ),
    ],
)
def test_a_wrong_manifest_is_exit_2_and_touches_nothing(root: Path, text: str, err: str) -> None:
    (root.parent / "cleanup.yaml").write_text(text)
    before = snapshot(root)
    assert call(root) == Ran(2, "", err)
    assert snapshot(root) == before


def test_a_missing_manifest_is_exit_2(root: Path) -> None:
    assert call(root, file="none.yaml") == Ran(
        2,
        "",
        f"{root.parent}/none.yaml: cannot be read: No such file or directory\n"
        "tip: check the path\n",
    )


def test_a_missing_tree_is_exit_2(tmp_path: Path) -> None:
    (tmp_path / "cleanup.yaml").write_text("{}")
    assert call(tmp_path / "none") == Ran(
        2, "", f'tree: no such folder "{tmp_path}/none"\ntip: check --tree\n'
    )


def test_another_interpreter_is_exit_2(root: Path) -> None:
    before = snapshot(root)
    assert call(root, python="/bin/echo 3.9") == Ran(
        2,
        "",
        'python: bytecode of another version "/bin/echo 3.9"\n'
        "tip: run the cleanup with the version that the image has\n",
    )
    assert snapshot(root) == before


def test_a_missing_interpreter_is_exit_2_in_one_clear_line(root: Path) -> None:
    before = snapshot(root)
    ran = call(root, python="/nonexistent/python")
    assert (ran.code, ran.out) == (2, "")
    assert "/nonexistent/python" in ran.err
    assert "Traceback" not in ran.err
    assert snapshot(root) == before


@pytest.mark.parametrize("missing", [("--tree", "x"), ("--manifest", "x")])
def test_a_call_without_tree_or_manifest_is_exit_2(
    missing: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["sutra_cleanup", *missing])
    with pytest.raises(SystemExit) as caught:
        module.main()
    assert caught.value.code == 2
    assert "the following arguments are required" in capsys.readouterr().err


def test_an_interrupt_takes_everything_back(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = tree.plan(root, manifest.load(root.parent / "cleanup.yaml"))
    before = snapshot(root)

    def interrupted(*_: object) -> int:
        assert f"{SITE}/two.py" not in files(root)
        raise KeyboardInterrupt

    monkeypatch.setattr("sutra_cleanup.proof.prove", interrupted)
    with pytest.raises(KeyboardInterrupt):
        module.clean(plan, [f"{root}/bin/python"], str(root))
    assert snapshot(root) == before
    assert outside(root) == ["cleanup.yaml", "tree"]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_module_that_sends_its_parent_a_signal_is_one_line_and_the_tree_as_it_was(
    root: Path, name: str
) -> None:
    (root / SITE / "two.py").write_text(
        f"import os, signal\nos.kill(os.getppid(), signal.{name})\nX = 1\n"
    )
    before = snapshot(root)
    assert call(root) == Ran(
        2,
        "",
        f'cleanup: ended by a signal "{name}", nothing was changed\n'
        "tip: run it again; where nobody sent the signal, a module does when it is imported\n",
    )
    assert snapshot(root) == before
    assert outside(root) == ["cleanup.yaml", "tree"]


@pytest.mark.parametrize(
    ("place", "why"),
    [("cleanup.yaml/x.json", "File exists"), ("tree", "Is a directory")],
)
def test_a_report_that_cannot_be_written_is_refused_before_anything_is_touched(
    root: Path, place: str, why: str
) -> None:
    before = snapshot(root)
    assert call(root, "--report", f"{root.parent}/{place}") == Ran(
        2,
        "",
        f'report: cannot be written "{root.parent}/{place}": {why}\ntip: check --report\n',
    )
    assert snapshot(root) == before
    assert outside(root) == ["cleanup.yaml", "tree"]


def test_a_thousand_nested_folders_are_cleaned(root: Path) -> None:
    with nested(root, 1200) as deep:
        make(root, {f"{deep}a.md": "text", f"{deep}b.txt": "stays"})
        ran = call(root)
        assert (ran.code, ran.err) == (0, "")
        assert os.listdir(root / deep) == ["b.txt"]


FULL = OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("step", "error", "said"),
    [
        ("bytecode.compile_tree", FULL, "no space left on device"),
        ("report.write", FULL, "no space left on device"),
        (
            "tree._walk",
            PermissionError(13, "Permission denied", "a/\n"),
            'permission denied "a/\\n"',
        ),
    ],
)
def test_what_the_disk_refuses_is_one_line_and_the_tree_as_it_was(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    step: str,
    error: OSError,
    said: str,
) -> None:
    def refuse(*_: object) -> None:
        raise error

    before = snapshot(root)
    words = f"--tree {root} --manifest {root.parent}/cleanup.yaml --python {root}/bin/python"
    words += f" --report {root.parent}/report.json"
    monkeypatch.setattr(sys, "argv", ["sutra_cleanup", *words.split()])
    monkeypatch.setattr(f"sutra_cleanup.{step}", refuse)
    assert module.main() == 2
    assert capsys.readouterr() == ("", f"cleanup: {said}\ntip: fix that, then run it again\n")
    assert snapshot(root) == before
    assert outside(root) == ["cleanup.yaml", "tree"]


# ---- any tree --------------------------------------------------------------

PYTHON = [sys.executable, "-I", "-S"]
FOLDER = 0o04


@settings(max_examples=extent.share(whole=25, fast=8))
@given(TREES, st.lists(VALID, min_size=1, max_size=4), st.lists(VALID, max_size=2), st.booleans())
def test_on_any_tree_keep_wins_twice_is_once_and_nothing_outside_changes(
    content: dict[str, str | bytes | Link], remove: list[str], keep: list[str], dedupe: bool
) -> None:
    keep = [glob for glob in keep if glob not in remove]
    rule = {"why": "a", "remove": remove, "keep": keep}
    with tempfile.TemporaryDirectory() as folder:
        above = make(Path(folder), {"outside/x.py": "1", "a/tests": "2", "x.py": "3"})
        root = make(above / "tree", content)
        document = {"dedupe": dedupe, "rules": {"r": rule}}
        (above / "cleanup.yaml").write_text(json.dumps(document))
        loaded = manifest.load(above / "cleanup.yaml")
        before, tree_before = snapshot(above), snapshot(root)
        module.clean(tree.plan(root, loaded), PYTHON, str(root))
        after = snapshot(root)
        stays = {
            path: state
            for path, state in tree_before.items()
            if state[0] >> 12 != FOLDER
            and (
                any(glob.matches(path) for glob in loaded.rules[0].keep)
                or not any(glob.matches(path) for glob in loaded.rules[0].remove)
            )
        }
        assert {path: after[path] for path in files(root)} == stays
        module.clean(tree.plan(root, loaded), PYTHON, str(root))
        assert snapshot(root) == after
        unchanged = {path: state for path, state in before.items() if not path.startswith("tree/")}
        now = {path: s for path, s in snapshot(above).items() if not path.startswith("tree/")}
        assert now == unchanged


@settings(max_examples=extent.share(whole=15, fast=6))
@given(TREES, st.lists(VALID, min_size=1, max_size=3))
def test_on_any_tree_a_broken_proof_changes_nothing(
    content: dict[str, str | bytes | Link], remove: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = make(Path(folder) / "tree", {**content, "proof/needed.txt": "x"})
        code = f"open({str(root / 'proof/needed.txt')!r}).close()"
        document = {
            "dedupe": True,
            "bytecode": {"default": "sourceless"},
            "rules": {"r": {"why": "a", "remove": [*remove, "./proof/needed.txt"]}},
            "prove": {"run": ["python", "-c", code]},
        }
        (Path(folder) / "cleanup.yaml").write_text(json.dumps(document))
        plan = tree.plan(root, manifest.load(Path(folder) / "cleanup.yaml"))
        before = snapshot(Path(folder))
        with pytest.raises(CleanupError) as caught:
            module.clean(plan, PYTHON, str(root))
        assert caught.value.exit_code == 1
        assert caught.value.message.endswith('by rule "r" "proof/needed.txt"')
        assert snapshot(Path(folder)) == before
