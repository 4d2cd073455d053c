"""All rules, in the order of reports; `names` has their names for those who read no image."""

from __future__ import annotations

from scripts.checks.contents import (
    rules_binaries,
    rules_bytecode,
    rules_entrypoint,
    rules_forbidden_files,
    rules_labels,
    rules_leaks,
    rules_package_records,
    rules_permissions,
    rules_programs,
    rules_wasted_space,
)
from scripts.checks.contents.rule import Rule

_FAMILIES = (
    rules_programs,
    rules_forbidden_files,
    rules_binaries,
    rules_bytecode,
    rules_permissions,
    rules_leaks,
    rules_wasted_space,
    rules_entrypoint,
    rules_labels,
    rules_package_records,
)
RULES: tuple[Rule, ...] = tuple(rule for family in _FAMILIES for rule in family.RULES)
