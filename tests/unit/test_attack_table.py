"""The table of attacks in docs/deployment.md: a row for each, beside what it did before."""

from __future__ import annotations

import re

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
    assert attack_table.render([attack]) == (
        "| attack | on | answer | memory at most | before the bounds |\n"
        "|---|---|---|--:|---|\n"
        "| one header of 124 MB (its name) | api | closed | 64.0 MB of 268.4 MB "
        "| all of it taken, the API ended for its memory |\n"
    )


def test_memory_that_nothing_counts_is_not_a_figure() -> None:
    attack = Attack(attack_table.FULL, "sutra-storage", 10**6, "refused")
    assert attack.memory == "not measured of 1.0 MB"


@pytest.mark.parametrize(("sent", "service"), attack_table.BEFORE)
def test_the_document_has_every_attack_with_its_memory(sent: str, service: str) -> None:
    block = marked_block("attacks").search((ROOT / "docs/deployment.md").read_text())
    assert block
    rows = [row.split(" | ") for row in block[0].splitlines() if row.startswith(f"| {sent}")]
    rows = [row for row in rows if row[1] == service.removeprefix("sutra-")]
    assert rows
    assert all(re.fullmatch(r"\d+\.\d MB of \d+\.\d MB", row[3]) for row in rows)
