"""The table of attacks in docs/deployment.md: a row for each, beside what it did before."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scripts.report.readme_tables import marked_block
from tests.conftest import ROOT
from tests.support import attack_table
from tests.support.attack_table import Attack


def test_an_attack_is_a_line_and_a_row() -> None:
    attack = Attack(
        f"{attack_table.HEADER} (its name)", "sutra-api", 256 * 2**20, "closed", 64_000_000
    )
    assert attack.line == (
        "sutra-api: one header of 124 MB (its name): closed; memory: 64.0 MB of 268.4 MB"
    )


def test_a_row_has_what_an_older_commit_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tmp_path / "before.json"
    name = f"sutra-api: {attack_table.BODIES}"
    attacks = {name: ["beside them 10 × no answer", "9.0 MB of 10.0 MB"]}
    before.write_text(json.dumps({"commit": "abc", "attacks": attacks}))
    monkeypatch.setattr(attack_table, "BEFORE", before)
    rows = [Attack(attack_table.BODIES, name, 10**7, "fine", 10**6) for name in ("sutra-api", "b")]
    assert attack_table.render(rows) == (
        "| attack | on | answer | memory at most | answer of abc | its memory |\n"
        "|---|---|---|--:|---|--:|\n"
        f"| {attack_table.BODIES} | api | fine | 1.0 MB of 10.0 MB "
        "| beside them 10 × no answer | 9.0 MB of 10.0 MB |\n"
        f"| {attack_table.BODIES} | b | fine | 1.0 MB of 10.0 MB | not sent | not measured |\n"
    )


def test_memory_that_nothing_counts_is_not_a_figure() -> None:
    attack = Attack(attack_table.FULL, "sutra-storage", 10**6, "refused")
    assert attack.memory == "not measured of 1.0 MB"


@pytest.mark.parametrize("name", list(json.loads(attack_table.BEFORE.read_text())["attacks"]))
def test_the_document_has_every_attack_with_its_memory(name: str) -> None:
    block = marked_block("attacks").search((ROOT / "docs/deployment.md").read_text())
    assert block
    service, _, sent = name.partition(": ")
    rows = [row.split(" | ") for row in block[0].splitlines() if row.startswith(f"| {sent} |")]
    rows = [row for row in rows if row[1] == service.removeprefix("sutra-")]
    assert rows
    assert all(re.fullmatch(r"\d+\.\d MB of \d+\.\d MB", row[3]) for row in rows)
