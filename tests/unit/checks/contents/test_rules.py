"""The list of all rules."""

from __future__ import annotations

from scripts.catalog.rule_names import IN_BYTES, NAMES
from scripts.checks.contents.rules import RULES


def test_the_names_that_images_yaml_may_use_are_the_rules() -> None:
    assert tuple(rule.name for rule in RULES) == NAMES
    assert tuple(rule.name for rule in RULES if rule.unit == "bytes") == IN_BYTES
