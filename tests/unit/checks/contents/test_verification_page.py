"""docs/verification.md lists the rules as the code has them."""

from __future__ import annotations

import re

from scripts.catalog.waivers import KEYS
from scripts.checks.contents.rules import RULES
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "verification.md").read_text()


def test_the_table_of_rules_is_the_codes() -> None:
    block = re.search(r"<!-- rules -->\n(.*)<!-- /rules -->", PAGE, re.DOTALL)
    assert block
    rows = [f"| `{rule.name}` | {rule.about} |\n" for rule in RULES]
    assert block[1] == "| rule | what holds |\n|---|---|\n" + "".join(rows)


def test_every_key_of_an_exception_is_described() -> None:
    table = PAGE.partition("## Exceptions")[2]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(KEYS)
