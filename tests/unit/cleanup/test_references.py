from __future__ import annotations

from pathlib import Path

import pytest
from sutra_cleanup import manifest, references, tree
from sutra_cleanup.tree import Plan

from tests.unit.cleanup.trees import SITE, distribution, make, venv

SHARED = """
bytecode: {default: sourceless}
rules:
  tests: {why: a, remove: [tests/]}
  data: {why: a, remove: ['*.dat']}
"""


def planned(tmp_path: Path, modules: dict[str, str], own: str = "") -> Plan:
    (tmp_path / "shared.yaml").write_text(SHARED)
    (tmp_path / "cleanup.yaml").write_text("extends: [shared.yaml]\n" + own)
    venv(tmp_path / "tree", distribution("one", {"one/__init__.py": "", **modules}))
    return tree.plan(tmp_path / "tree", manifest.load(tmp_path / "cleanup.yaml"))


def as_files(plan: Plan) -> list[str]:
    return sorted(path.removeprefix(f"{SITE}/") for path in plan.as_files)


@pytest.mark.parametrize(
    ("modules", "files"),
    [
        ({"one/versions/0001_first.py": ""}, ["one/versions/0001_first.py"]),
        ({"one/versions/first.py": ""}, ["one/versions/first.py"]),
        ({"one/a.py": "import one.space.x", "one/space/x.py": ""}, []),
        ({"one/a.py": "from one import space", "one/space/x.py": ""}, []),
        ({"one/a.py": "from .space import x", "one/space/x.py": ""}, []),
        ({"one/a.py": "from . import (\n  space)", "one/space/x.py": ""}, ["one/space/x.py"]),
        ({"one/sub/__init__.py": "", "one/sub/x.py": ""}, []),
        (
            {
                "one/a.py": "glob('versions/*.py')",
                "one/versions/__init__.py": "",
                "one/versions/x.py": "",
            },
            ["one/versions/__init__.py", "one/versions/x.py"],
        ),
        (
            {"one/a.py": "open('env.py')", "one/t/__init__.py": "", "one/t/env.py": ""},
            ["one/t/env.py"],
        ),
        ({"one/a.py": "open('__init__.py'); open('setup.py'); glob('*.py')"}, []),
        ({"space/x.py": ""}, []),
    ],
)
def test_sources_that_are_read_as_files_stay_sources(
    tmp_path: Path, modules: dict[str, str], files: list[str]
) -> None:
    plan = planned(tmp_path, modules)
    assert as_files(plan) == files
    assert [plan.mode(f"{SITE}/{path}") for path in files] == ["source"] * len(files)


def test_a_mode_that_the_manifest_chooses_holds_all_the_same(tmp_path: Path) -> None:
    plan = planned(tmp_path, {"one/versions/x.py": ""}, "bytecode: {cached: [versions/]}")
    assert plan.mode(f"{SITE}/one/versions/x.py") == "cached"


@pytest.mark.parametrize(
    ("modules", "lines"),
    [
        ({"one/a.dat": "", "one/x.py": "open('b.dat')"}, []),
        (
            {"one/a.dat": "", "one/x.py": "open('a.dat')"},
            [
                'rule "data" takes "one/a.dat" of one, which "one/x.py" names: '
                "where the service uses it, keep it"
            ],
        ),
        (
            {"one/a/1.dat": "", "one/a/2.dat": "", "one/x.py": "open('a/1.dat'); open('2.dat')"},
            [
                'rule "data" takes "one/a/1.dat" of one, which "one/x.py" names (+1 more): '
                "where the service uses it, keep it"
            ],
        ),
        (
            {"one/tests/__init__.py": "", "one/x.py": "def f():\n    from one.tests import y\n"},
            [
                'rule "tests" takes "one/tests/__init__.py" of one, which "one/x.py" names: '
                "where the service uses it, keep it"
            ],
        ),
        (
            {"one/tests/y.py": "", "one/x.py": "def f():\n    from .tests import y\n"},
            [
                'rule "tests" takes "one/tests/y.py" of one, which "one/x.py" names: '
                "where the service uses it, keep it"
            ],
        ),
        ({"one/tests/y.py": "", "one/tests/x.py": "from one.tests import y"}, []),
    ],
)
def test_what_a_shared_rule_takes_and_a_source_names_is_warned_of(
    tmp_path: Path, modules: dict[str, str], lines: list[str]
) -> None:
    assert references.warnings(planned(tmp_path, modules)) == lines


def test_rules_of_ones_own_and_rules_that_know_are_not_warned_of(tmp_path: Path) -> None:
    (tmp_path / "known.yaml").write_text("rules: {k: {why: a, source: b, remove: [a.bin]}}")
    modules = {"one/a.bin": "", "one/b.bin": "", "one/x.py": "open('a.bin'); open('b.bin')"}
    (tmp_path / "cleanup.yaml").write_text(
        "extends: [known.yaml]\nrules: {own: {why: a, remove: [b.bin]}}"
    )
    venv(tmp_path / "tree", distribution("one", {"one/__init__.py": "", **modules}))
    plan = tree.plan(tmp_path / "tree", manifest.load(tmp_path / "cleanup.yaml"))
    assert len(list(plan.leaving)) == 2
    assert references.warnings(plan) == []


def test_a_source_that_is_not_text_is_read(tmp_path: Path) -> None:
    plan = planned(tmp_path, {})
    make(tmp_path / "tree" / SITE, {"one/odd.py": b"\xff'a.dat'\n"})
    assert as_files(tree.plan(plan.tree, plan.manifest)) == []
