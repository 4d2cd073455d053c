"""Tables of what CIS and NIST ask of images, beside the rules and tests that check it.

The titles of the controls are in our words, after the CIS Docker Benchmark 1.6.0, section 4,
and NIST Special Publication 800-190, section 4.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from sutra_cleanup import strict_yaml, yaml_node

from scripts.catalog.rule_names import NAMES
from scripts.common.errors import SutraError

FILE = Path(__file__).with_name("controls.yaml")
DOCUMENT = Path("docs/controls.md")
KEYS = ("title", "rules", "tests", "commands", "missing")


@dataclass(frozen=True)
class Control:
    """One control of a catalogue. `missing` says what of it nothing here checks."""

    number: str
    title: str
    rules: tuple[str, ...]
    tests: tuple[str, ...]
    commands: tuple[str, ...]
    missing: str


@dataclass(frozen=True)
class Controls:
    """The controls of each catalogue by its title, and why other rules are in none."""

    catalogues: dict[str, tuple[Control, ...]]
    others: dict[str, str]

    def all(self) -> Iterator[Control]:
        """Yield every control."""
        for controls in self.catalogues.values():
            yield from controls


class _Node(yaml_node.Node):
    def refusal(self, message: str) -> SutraError:
        return SutraError(message, f"fix {self.file}, then run `make controls`")

    def needed(self, key: str) -> str:
        self.required(key)
        return self.text(key)


def load(file: Path = FILE) -> Controls:
    """Read the mapping. Raises SutraError: each rule must be in a control or under `others`."""
    top = _Node(file.name, "", _read(file), ("catalogues", "others"))
    catalogues = top.child("catalogues")
    others = top.child("others", NAMES)
    controls = Controls(
        dict(_catalogue(catalogues.child(key, ("title", "controls"))) for key in catalogues.value),
        {rule: others.needed(rule) for rule in others.value},
    )
    _refuse_gaps(top, controls)
    return controls


def _read(file: Path) -> Any:
    try:
        return strict_yaml.load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        problem = " ".join(str(error).split())
        raise SutraError(f"{file.name}: cannot be read: {problem}", f"fix {file.name}") from error


def _catalogue(node: _Node) -> tuple[str, tuple[Control, ...]]:
    controls = node.child("controls")
    return node.needed("title"), tuple(
        _control(number, controls.child(number, KEYS)) for number in controls.value
    )


def _control(number: str, node: _Node) -> Control:
    control = Control(
        number,
        node.needed("title"),
        node.texts("rules"),
        node.texts("tests"),
        node.texts("commands"),
        node.text("missing"),
    )
    for rule in control.rules:
        if rule not in NAMES:
            raise node.error("rules", "unknown rule", rule, yaml_node.did_you_mean(rule, NAMES))
    if not (control.rules or control.tests):
        raise node.error("", "neither a rule nor a test checks it")
    return control


def _refuse_gaps(top: _Node, controls: Controls) -> None:
    mapped = {rule for control in controls.all() for rule in control.rules}
    for rule in NAMES:
        if rule not in mapped and rule not in controls.others:
            raise top.error("others", "in no control, and without a reason", rule)
        if rule in mapped and rule in controls.others:
            raise top.error("others", "has a control", rule)


def tables(controls: Controls) -> str:
    """Return the Markdown: a table of each catalogue, then one of all rules."""
    parts = [_table(title, catalogue) for title, catalogue in controls.catalogues.items()]
    return "\n\n".join([*parts, _rules(controls)]) + "\n"


def _table(title: str, controls: tuple[Control, ...]) -> str:
    rows = [_row(control) for control in controls]
    head = ["| control | asks for | checked by | not checked here |", "|---|---|---|---|"]
    return "\n".join([f"### {title}", "", *head, *rows])


def _row(control: Control) -> str:
    checks = "; ".join(_checks(control))
    return f"| {control.number} | {control.title} | {checks} | {control.missing} |"


def _checks(control: Control) -> Iterator[str]:
    """Yield how a control is checked: rules, tests, commands."""
    if control.rules:
        yield "rules " + ", ".join(f"`{rule}`" for rule in control.rules)
    for test in control.tests:
        file, _, function = test.partition("::")
        yield f"[{function.removeprefix('test_').replace('_', ' ')}](../{file})"
    if control.commands:
        yield ", ".join(f"`make {target}`" for target in control.commands)


def _rules(controls: Controls) -> str:
    """Return the table of rules: the controls that each serves, or why there is none."""
    rows = []
    for rule in NAMES:
        numbers = [
            f"{title.split()[0]} {control.number}"
            for title, listed in controls.catalogues.items()
            for control in listed
            if rule in control.rules
        ]
        rows.append(f"| `{rule}` | {', '.join(numbers)} | {controls.others.get(rule, '')} |")
    head = ["| rule | controls | why without one |", "|---|---|---|"]
    return "\n".join(["### Rules", "", *head, *rows])
