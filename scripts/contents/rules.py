"""All rules, in the order of reports; `names` has their names for those who read no image."""

from __future__ import annotations

from scripts.contents import (
    bytecode,
    elf,
    forbidden,
    labels,
    leaks,
    records,
    rights,
    start,
    wasted,
)
from scripts.contents.rule import Rule

_FAMILIES = (forbidden, elf, bytecode, rights, leaks, wasted, start, labels, records)
RULES: tuple[Rule, ...] = tuple(rule for family in _FAMILIES for rule in family.RULES)
