from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sutra_cleanup import manifest, report, tree
from sutra_cleanup.bytecode import Compiled
from sutra_cleanup.dedupe import Deduped
from sutra_cleanup.descriptions import Described
from sutra_cleanup.elf import Stripped
from sutra_cleanup.proof import Proven
from sutra_cleanup.record import Recorded
from sutra_cleanup.report import Done
from sutra_cleanup.tree import Plan

from tests.unit.cleanup.trees import SITE, Link, distribution, make

RULES = """
rules:
  small: {why: few bytes, remove: [a.md]}
  large: {why: many bytes, remove: [tests/]}
  idle: {why: names nothing, remove: [nothing]}
  kept: {why: wanted, keep: [tests/needed]}
"""
DONE = Done(
    Stripped(2, 1_500_000, (("a/bad.so", "load segment not aligned to 4096"),)),
    Deduped(1, 250_000),
    Described(3, 60_000),
    Compiled(1, 2, 3, 2, ("old.py",)),
    Recorded(2, 40_000),
    Proven(7, 3, ("a.plugin",)),
)
FOUND: dict[str, Any] = {
    "manifest": "cleanup.yaml",
    "before": 3_500_000,
    "after": 1_250_000,
    "rules": {
        "small": {"files": 1, "bytes": 10_000, "why": "few bytes"},
        "large": {"files": 20, "bytes": 490_000, "why": "many bytes"},
    },
    "packages": {
        "one": {"before": 3_000_000, "after": 1_200_000},
        "bin": {"before": 500_000, "after": 50_000},
    },
    "stripped": {
        "files": 2,
        "saved": 1_500_000,
        "restored": (("a/bad.so", "load segment not aligned to 4096"),),
    },
    "deduped": {"files": 1, "saved": 250_000},
    "described": {"files": 3, "saved": 60_000},
    "compiled": {
        "cached": 1,
        "sourceless": 2,
        "source": 3,
        "without_docstrings": 2,
        "refused": ("old.py",),
    },
    "recorded": {"files": 2, "saved": 40_000},
    "proven": 7,
    "entry_points": 3,
    "broken": ("a.plugin",),
    "stand_ins": [],
}


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    root = make(
        tmp_path / "tree",
        {
            "a.md": "1",
            "bin/tests/x": "12",
            "bin/tests/needed": "123",
            "link": Link("a.md"),
            "bin/tests/link": Link("../.."),
        },
    )
    make(root / SITE, distribution("one", {"one/__init__.py": "X = 1\n", "one/tests/t.py": "1234"}))
    (tmp_path / "cleanup.yaml").write_text(RULES)
    return tree.plan(root, manifest.load(tmp_path / "cleanup.yaml"))


def test_bytes_by_rule_and_by_package(plan: Plan) -> None:
    summary = report.summary(plan, DONE, report.weigh(plan), "/opt/x")
    records = sum(entry.size for entry in plan.entries if "dist-info" in entry.path)
    own = records + 10
    assert summary == {
        "manifest": "cleanup.yaml",
        "tree": "/opt/x",
        "before": own + 6,
        "after": own + 6,
        "rules": {
            "small": {"files": 1, "bytes": 1, "why": "few bytes"},
            "large": {"files": 3, "bytes": 6, "why": "many bytes"},
        },
        "packages": {
            "one": {"before": own, "after": own},
            "bin": {"before": 5, "after": 5},
            "a.md": {"before": 1, "after": 1},
            "link": {"before": 0, "after": 0},
        },
        "stripped": FOUND["stripped"],
        "deduped": FOUND["deduped"],
        "described": FOUND["described"],
        "compiled": FOUND["compiled"],
        "recorded": {"files": 2, "saved": 40_000},
        "proven": 7,
        "entry_points": 3,
        "broken": ("a.plugin",),
        "stand_ins": [],
    }


def test_a_tree_is_weighed_as_it_is_now(plan: Plan) -> None:
    (plan.tree / "bin/tests/x").unlink()
    (plan.tree / SITE / "one/__init__.py").rename(plan.tree / SITE / "one/__init__.pyc")
    make(plan.tree, {"bin/new": "12345", "bin/more": Link("new"), "out": Link("/usr")})
    weights = report.weigh(plan)
    assert (weights["bin"], weights["a.md"], weights["out"]) == (8, 1, 0)
    assert (
        weights["one"] == report.summary(plan, DONE, weights, "/opt/x")["packages"]["one"]["before"]
    )


def test_a_dry_run_shows_each_file_under_its_rule(plan: Plan) -> None:
    make(plan.tree, {"odd\n\udcff/tests/x": "12"})
    again = tree.plan(plan.tree, plan.manifest)
    assert (
        report.dry(again)
        == f"""\
small: 1 files, 1 bytes: few bytes
  a.md
large: 4 files, 8 bytes: many bytes
  bin/tests/link
  bin/tests/x
  {SITE}/one/tests/t.py
  odd\\n\\xff/tests/x
by package:
  one: 1 files, 4 bytes
  bin: 2 files, 2 bytes
  odd\\n\\xff: 1 files, 2 bytes
  a.md: 1 files, 1 bytes"""
    )


def test_a_dry_run_of_nothing_shows_nothing(tmp_path: Path) -> None:
    (tmp_path / "cleanup.yaml").write_text(RULES)
    root = make(tmp_path / "tree", {"x": ""})
    assert report.dry(tree.plan(root, manifest.load(tmp_path / "cleanup.yaml"))) == ""


def test_the_report_as_a_table() -> None:
    assert (
        report.text(FOUND)
        == """\
rule                               files       MB
large                                 20     0.49
small                                  1     0.01
strip                                  2     1.50
dedupe                                 1     0.25
descriptions                           3     0.06
package                           before    after
one                                 3.00     1.20
bin                                 0.50     0.05
put back after strip: a/bad.so: load segment not aligned to 4096
no longer loads, as its rule says: a.plugin
bytecode: 2 sourceless, 1 cached, 3 sources alone, 1 do not compile, 2 without docstrings
3.50 MB → 1.25 MB, 7 modules and 3 entry points proven"""
    )


def test_the_table_has_the_fifteen_largest_packages() -> None:
    packages = {f"p{number}": {"before": 9, "after": 9} for number in range(16)}
    lines = report.text({**FOUND, "packages": packages}).splitlines()
    assert [line.split()[0] for line in lines if line.startswith("p")][1:16] == list(packages)[:15]
    assert "p15" not in [line.split()[0] for line in lines]


@pytest.mark.parametrize("name", ["raw\udcff.so", "line\nbreak.so"])
def test_a_library_of_an_odd_name_is_shown_as_text(name: str) -> None:
    stripped = {**FOUND["stripped"], "restored": ((name, "damaged"),)}
    shown = report.text({**FOUND, "stripped": stripped})
    assert shown.encode()  # a builder's log takes UTF-8
    assert len(shown.splitlines()) == len(report.text(FOUND).splitlines())


def test_a_report_is_written_whole_into_a_folder_of_its_own(tmp_path: Path) -> None:
    place = tmp_path / "usr/share/sutra/cleanup.json"
    report.write(FOUND, place)
    assert json.loads(place.read_text()) == json.loads(json.dumps(FOUND))
    assert [path.name for path in place.parent.iterdir()] == ["cleanup.json"]


def test_a_report_replaces_an_older_one(tmp_path: Path) -> None:
    place = tmp_path / "cleanup.json"
    place.write_text("old and longer" * 1000)
    report.write({"a": 1}, place)
    assert place.read_text() == '{"a":1}'


def test_a_report_on_a_full_disk_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, text: str) -> None:
        self.write_bytes(text.encode()[:3])
        raise OSError(28, "No space left on device")

    place = tmp_path / "cleanup.json"
    place.write_text("old")
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left on device"):
        report.write({"a": 1}, place)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [
        ("cleanup.json", "old")
    ]


def test_a_report_takes_names_that_are_not_text(tmp_path: Path) -> None:
    place = tmp_path / "cleanup.json"
    report.write({"refused": ("raw\udcff.py",)}, place)
    assert json.loads(place.read_bytes())["refused"] == ["raw\udcff.py"]
