"""Controls of CIS and NIST: every rule is in the table, and every test that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.__main__ import main as front_door
from scripts.catalog.rule_names import NAMES
from scripts.checks.contents.rules import RULES
from scripts.common.errors import SutraError
from scripts.report import controls
from scripts.report.readme_tables import marked_block
from tests.conftest import ROOT

TEXT = controls.FILE.read_text()


def missing_tests(mapping: controls.Controls) -> list[str]:
    """Return the tests that the mapping names and that do not exist."""
    return [test for control in mapping.all() for test in control.tests if not exists(test)]


def exists(test: str) -> bool:
    file, _, function = test.partition("::")
    path = ROOT / file
    return path.is_file() and bool(re.search(rf"^def {function}\(", path.read_text(), re.MULTILINE))


def test_every_test_and_command_that_is_named_exists() -> None:
    mapping = controls.load()
    assert missing_tests(mapping) == []
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {target for control in mapping.all() for target in control.commands} - targets == set()


def test_a_test_that_is_gone_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(TEXT.replace("test_other_bytes_than", "test_no_bytes_than"))
    gone = "tests/unit/test_packages_lock.py::test_no_bytes_than_are_locked"
    assert missing_tests(controls.load(tmp_path / "c.yaml")) == [gone, gone]


def test_every_rule_is_in_a_control_or_has_a_reason() -> None:
    mapping = controls.load()
    mapped = {rule for control in mapping.all() for rule in control.rules}
    assert mapped | set(mapping.others) == {rule.name for rule in RULES}
    assert mapped & set(mapping.others) == set()


def test_both_catalogues_are_whole() -> None:
    numbers = [control.number for control in controls.load().all()]
    assert numbers == [f"4.{n}" for n in range(1, 13)] + [f"4.1.{n}" for n in range(1, 6)]


def test_the_documents_tables_are_what_the_generator_gives() -> None:
    block = marked_block("controls").search((ROOT / controls.DOCUMENT).read_text())
    assert block
    written = block[0].removeprefix(block[1]).removesuffix(block[2])
    assert written == controls.tables(controls.load())


def test_a_row_of_each_table() -> None:
    lines = controls.tables(controls.load()).splitlines()
    assert "| 4.8 | setuid and setgid permissions are removed | rules `rights` |  |" in lines
    assert "| `secrets` | CIS 4.10, NIST 4.1.4 |  |" in lines
    assert (
        "| `wasted` |  | bytes that a later layer removes cost size; `secrets` looks at them "
        "too |" in lines
    )


def test_the_command_writes_the_tables_again(folder: Path) -> None:
    (folder / "docs").mkdir()
    (folder / controls.DOCUMENT).write_text(
        "# x\n<!-- controls -->\nold\n<!-- /controls -->\nend\n"
    )
    assert front_door(["controls"]) == 0
    expected = controls.tables(controls.load())
    text = (folder / controls.DOCUMENT).read_text()
    assert text == f"# x\n<!-- controls -->\n{expected}<!-- /controls -->\nend\n"


def test_a_document_without_its_markers_is_left_alone(folder: Path) -> None:
    (folder / "docs").mkdir()
    (folder / controls.DOCUMENT).write_text("# x\n")
    with pytest.raises(SutraError) as caught:
        front_door(["controls"])
    assert caught.value.message == "docs/controls.md: no <!-- controls --> block"
    assert (folder / controls.DOCUMENT).read_text() == "# x\n"


def test_a_missing_document_is_one_line(folder: Path) -> None:
    with pytest.raises(SutraError) as caught:
        front_door(["controls"])
    assert caught.value.message == "docs/controls.md: cannot be read: No such file or directory"
    assert caught.value.tip == "`git checkout docs/controls.md`"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "rules: [user]",
            "rules: [usre]",
            'catalogues.cis.controls.4.1.rules: unknown rule "usre", did you mean "user"?',
        ),
        (
            "rules: [user]",
            "rules: user",
            'catalogues.cis.controls.4.1.rules: not a list of texts "user"',
        ),
        (
            "rules: [user]",
            "commands: [verify]",
            "catalogues.cis.controls.4.1: neither a rule nor a test checks it",
        ),
        (
            "rules: [user]",
            "rulez: [user]",
            'catalogues.cis.controls.4.1: unknown key "rulez", did you mean "rules"?',
        ),
        (
            "        title: a user for the container has been created\n",
            "",
            "catalogues.cis.controls.4.1.title: missing",
        ),
        ('      "4.1":\n', "      4.1:\n", 'catalogues.cis.controls: key is not text "4.1"'),
        (
            "  wasted: bytes",
            "  waste: bytes",
            'others: unknown key "waste", did you mean "wasted"?',
        ),
        (
            "  stripped: symbols cost size alone\n",
            "",
            'others: in no control, and without a reason "stripped"',
        ),
        ("others:\n", "others:\n  secrets: none\n", 'others: has a control "secrets"'),
        ("  stripped: symbols cost size alone\n", "  stripped:\n", "others.stripped: missing"),
        ("catalogues:", "catalogs:", 'unknown key "catalogs", did you mean "catalogues"?'),
    ],
)
def test_a_wrong_mapping_is_refused(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in TEXT
    (tmp_path / "controls.yaml").write_text(TEXT.replace(old, new, 1))
    with pytest.raises(SutraError) as caught:
        controls.load(tmp_path / "controls.yaml")
    assert caught.value.message == f"controls.yaml: {problem}"
    assert caught.value.tip == "fix controls.yaml, then run `make controls`"


def test_a_file_that_is_not_yaml_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("a: [")
    with pytest.raises(SutraError, match=r"^c\.yaml: cannot be read: ") as caught:
        controls.load(tmp_path / "c.yaml")
    assert "\n" not in caught.value.message
    with pytest.raises(SutraError, match=r"^gone\.yaml: cannot be read: "):
        controls.load(tmp_path / "gone.yaml")


def test_the_names_of_the_rules_are_those_of_the_table() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|", controls.tables(controls.load()), re.MULTILINE)
    assert tuple(rows) == NAMES
