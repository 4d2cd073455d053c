"""Proposals that the cleanup's proof accepts, on real trees whose modules have no sources."""

from __future__ import annotations

import json
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.floor import proof_inside
from tests.unit.cleanup.trees import LIB, SITE, distribution, snapshot, venv

MODULES = {
    "one/__init__.py": "",
    "one/api.py": "def late():\n    from one import lazy\n    return lazy\n",
    "one/lazy.py": "from one import needed\n",
    "one/needed.py": "",
    "one/unused.py": "",
    "one/data/big.txt": "x",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A cleaned tree: bytecode in the place of sources."""
    tree = tmp_path / "tree"
    files = distribution("one", MODULES)
    record = f"{SITE}/one-1.0.dist-info/RECORD"
    venv(tree, files)
    for file in sorted((tree / SITE).rglob("*.py")):
        py_compile.compile(str(file), f"{file}c", doraise=True)
        file.unlink()
    listed = (tree / record).read_text().replace(".py,", ".pyc,")
    (tree / record).write_text(listed)
    return tree


def names(root: Path) -> set[str]:
    return {path.name for path in (root / SITE / "one").iterdir()}


def test_proposals_that_nothing_imports_are_proven_together(root: Path) -> None:
    answer = proof_inside.answer(root, 60, ["one/unused.py", "one/data/"])
    assert answer == {"proven": ["one/unused.py", "one/data/"], "broken": {}, "problem": ""}
    assert names(root) == {"__init__.pyc", "api.pyc", "lazy.pyc", "needed.pyc"}


def test_a_proposal_that_a_module_needs_is_left_out_with_the_reason(root: Path) -> None:
    answer = proof_inside.answer(root, 60, ["one/needed.py", "one/unused.py"])
    assert (answer["proven"], answer["problem"]) == (["one/unused.py"], "")
    assert list(answer["broken"]) == ["one/needed.py"]
    assert answer["broken"]["one/needed.py"].startswith('broke "one.lazy": ImportError: ')
    assert 'rule "' not in answer["broken"]["one/needed.py"]
    assert "needed.pyc" in names(root)


def test_a_package_that_would_be_emptied_is_left_out(root: Path) -> None:
    answer = proof_inside.answer(root, 60, ["one/"])
    assert answer["proven"] == []
    assert answer["broken"] == {
        "one/": 'proposals.yaml: rules.p0.remove: would empty the package "one"'
    }
    assert len(names(root)) == 6


def test_no_time_is_no_proof(root: Path) -> None:
    before = snapshot(root)
    assert proof_inside.answer(root, 0, ["one/unused.py"]) == {
        "proven": [],
        "broken": {},
        "problem": "not proven in 0 s",
    }
    assert snapshot(root) == before
    assert proof_inside.answer(root, 0, []) == {"proven": [], "broken": {}, "problem": ""}


def test_a_tree_that_was_broken_before_proves_nothing(root: Path) -> None:
    for file in (root / SITE).rglob("*.pyc"):
        file.write_bytes(b"of another Python")
    answer = proof_inside.answer(root, 60, ["one/unused.py"])
    assert answer == {"proven": [], "broken": {}, "problem": "no module of the image loads"}


def test_a_proof_that_cannot_run_is_the_problem(root: Path) -> None:
    (root / "bin/python").unlink()
    answer = proof_inside.answer(root, 60, ["one/unused.py"])
    assert (answer["proven"], answer["broken"]) == ([], {})
    assert answer["problem"].startswith('python: cannot run "')


def test_the_program_prints_its_answer_behind_the_marker(root: Path) -> None:
    words = [sys.executable, proof_inside.__file__, "MARK ", str(root), "60", '["one/data/"]']
    done = subprocess.run(
        words, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(LIB)}
    )
    (line,) = [candidate for candidate in done.stdout.splitlines() if candidate.startswith("MARK ")]
    assert json.loads(line.removeprefix("MARK "))["proven"] == ["one/data/"]
