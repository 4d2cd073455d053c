"""A cleanup manifest: YAML that a person reviews → frozen rules.

Errors carry file and key path: `cleanup.yaml: rules.tests.remove: absolute "/x"`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from . import strict_yaml, yaml_node
from .errors import CleanupError
from .globs import Glob

STRIP = ("off", "verified")
BYTECODE = ("source", "cached", "sourceless")
DOCSTRINGS = ("keep", "drop")
DESCRIPTIONS = ("keep", "drop")
KEYS = ("extends", "strip", "bytecode", "docstrings", "descriptions", "dedupe", "rules", "prove")


@dataclass(frozen=True)
class Rule:
    """The files that leave the tree under one name, those that stay anyway, and why.

    `file` is the manifest that defines it; `source` names where the knowledge
    comes from, for a fact about one package. With `stand_in` each extension module
    that leaves is replaced by one that can be imported and raises when it is used.
    """

    name: str
    why: str
    remove: tuple[Glob, ...]
    keep: tuple[Glob, ...]
    file: Path
    source: str = ""
    stand_in: bool = False
    breaks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """All rules in order, those of extended manifests first, and the other policies.

    `bytecode` is the mode of every module for which `bytecode_for` has no other,
    first match wins; `docstrings` and `docstrings_for` likewise say whether that
    bytecode holds docstrings. `run` is a command that must succeed in the cleaned tree.
    A policy that a file says nothing of is empty until `load` has read all files.
    """

    file: Path
    rules: tuple[Rule, ...] = ()
    strip: str = ""
    bytecode: str = ""
    bytecode_for: tuple[tuple[Glob, str], ...] = ()
    docstrings: str = ""
    docstrings_for: tuple[tuple[Glob, str], ...] = ()
    descriptions: str = ""
    dedupe: bool | None = None
    imports: tuple[str, ...] = ()
    run: tuple[str, ...] = field(default=())

    def own(self) -> tuple[Rule, ...]:
        """Return the rules that stand in this very file."""
        return tuple(rule for rule in self.rules if rule.file == self.file)

    def mode(self, path: str) -> str:
        """Return the bytecode mode of the module at `path`."""
        return self.chosen_mode(path) or self.bytecode

    def chosen_mode(self, path: str) -> str:
        """Return the bytecode mode that a glob chooses for the module at `path`, or ""."""
        return next((mode for glob, mode in self.bytecode_for if glob.matches(path)), "")

    def drops_docstrings(self, path: str) -> bool:
        """Return whether the bytecode of the module at `path` is made without docstrings."""
        chosen = (choice for glob, choice in self.docstrings_for if glob.matches(path))
        return next(chosen, self.docstrings) == "drop"


def load(file: Path) -> Manifest:
    """Read a manifest and all that it extends. Raises CleanupError."""
    manifest = _load(file, ())
    _refuse_contradictions(manifest)
    return replace(
        manifest,
        strip=manifest.strip or STRIP[0],
        bytecode=manifest.bytecode or BYTECODE[0],
        docstrings=manifest.docstrings or DOCSTRINGS[0],
        descriptions=manifest.descriptions or DESCRIPTIONS[0],
        dedupe=bool(manifest.dedupe),
    )


def with_bytecode(manifest: Manifest, mode: str) -> Manifest:
    """Return the manifest with one mode for every module, docstrings kept: to compare with."""
    return replace(
        manifest, bytecode=mode, bytecode_for=(), docstrings=DOCSTRINGS[0], docstrings_for=()
    )


def _load(file: Path, above: tuple[Path, ...]) -> Manifest:
    try:
        place = file.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL
        raise CleanupError(f"{file}: cannot be read: {error}", "check the path") from error
    if place in above:
        chain = " → ".join(path.name for path in (*above[above.index(place) :], place))
        raise CleanupError(f"{file.name}: extends: cycle {chain}", "remove one of them")
    node = _Node(place.name, "", _read(place), KEYS)
    manifest = Manifest(place)
    for name in node.texts("extends"):
        manifest = _extended(manifest, _load(place.parent / name, (*above, place)))
    return _extended(manifest, _own(node, place))


def _read(file: Path) -> Any:
    try:
        return strict_yaml.load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CleanupError(f"{file}: cannot be read: {error.strerror}", "check the path") from error
    except ValueError as error:
        raise CleanupError(
            f"{file.name}: not YAML: {error}", f"`yamllint {file}` says more"
        ) from error


def _own(node: _Node, file: Path) -> Manifest:
    bytecode = node.child_or_empty("bytecode", ("default", *BYTECODE))
    docstrings = node.child_or_empty("docstrings", ("default", *DOCSTRINGS))
    prove = node.child_or_empty("prove", ("import", "run"))
    rules = node.child_or_empty("rules")
    return Manifest(
        file,
        tuple(_rule(rules, name, file) for name in rules.value),
        strip=node.choice("strip", STRIP),
        bytecode=bytecode.choice("default", BYTECODE),
        bytecode_for=bytecode.choices_for(BYTECODE),
        docstrings=docstrings.choice("default", DOCSTRINGS),
        docstrings_for=docstrings.choices_for(DOCSTRINGS),
        descriptions=node.choice("descriptions", DESCRIPTIONS),
        dedupe=node.flag("dedupe"),
        imports=prove.texts("import"),
        run=prove.texts("run"),
    )


def _rule(rules: _Node, name: str, file: Path) -> Rule:
    node = rules.child(name, ("why", "remove", "keep", "source", "stand_in", "breaks"))
    remove, keep = node.globs("remove"), node.globs("keep")
    if not remove and not keep:
        raise node.error("remove", "missing")
    stand_in, breaks = node.flag("stand_in") or False, node.texts("breaks")
    if breaks and not remove:
        raise node.error("breaks", "removes nothing")
    if stand_in and not remove:
        raise node.error("stand_in", "removes nothing")
    for glob in remove if stand_in else ():
        if not glob.text.endswith(".so"):
            raise node.error("stand_in", "only for extension modules (*.so), not for", glob.text)
    return Rule(
        name,
        node.needed_text("why"),
        remove,
        keep,
        file,
        node.text("source"),
        stand_in,
        breaks,
    )


def _extended(below: Manifest, above: Manifest) -> Manifest:
    """Return both as one: rules add up, and what `above` says of the rest holds."""
    twice = {rule.name for rule in below.rules} & {
        rule.name for rule in above.rules if rule not in below.rules
    }
    if twice:
        raise CleanupError(
            f"{above.file.name}: rules.{min(twice)}: already defined in an extended manifest",
            "give the rule another name",
        )
    new = tuple(rule for rule in above.rules if rule not in below.rules)
    return replace(
        above,
        rules=below.rules + new,
        strip=above.strip or below.strip,
        bytecode=above.bytecode or below.bytecode,
        dedupe=below.dedupe if above.dedupe is None else above.dedupe,
        bytecode_for=above.bytecode_for + below.bytecode_for,
        docstrings=above.docstrings or below.docstrings,
        descriptions=above.descriptions or below.descriptions,
        docstrings_for=above.docstrings_for + below.docstrings_for,
        imports=below.imports + above.imports,
        run=above.run or below.run,
    )


def _refuse_contradictions(manifest: Manifest) -> None:
    kept = {glob.text: rule for rule in manifest.rules for glob in rule.keep}
    for rule in manifest.rules:
        for glob in rule.remove:
            if keeper := kept.get(glob.text):
                raise CleanupError(
                    f'{rule.file.name}: rules.{rule.name}.remove: rule "{keeper.name}" keeps '
                    f'the same "{glob.text}"',
                    "keep always wins: remove one of the two",
                )


class _Node(yaml_node.Node):
    """A mapping of a manifest."""

    def refusal(self, message: str) -> CleanupError:
        return CleanupError(message, f"fix {self.file}, then build again")

    def needed_text(self, key: str) -> str:
        if not self.value.get(key):
            raise self.error(key, "missing")
        return self.text(key)

    def texts(self, key: str) -> tuple[str, ...]:
        return super().texts(key) if self.value.get(key) else ()

    def globs(self, key: str) -> tuple[Glob, ...]:
        return tuple(self._glob(key, text) for text in self.texts(key))

    def _glob(self, key: str, text: str) -> Glob:
        try:
            return Glob(text)
        except ValueError as problem:
            raise self.error(key, str(problem), text) from problem

    def choice(self, key: str, choices: Collection[str]) -> str:
        if key not in self.value:
            return ""
        value = self.value[key]
        if value is False:  # YAML's own reading of `off`
            value = "off"
        if value not in choices:
            raise self.error(key, "unknown", value, f", choose one of {', '.join(choices)}")
        return str(value)

    def choices_for(self, choices: Collection[str]) -> tuple[tuple[Glob, str], ...]:
        """Return the globs under each choice, as pairs."""
        return tuple((glob, choice) for choice in choices for glob in self.globs(choice))

    def flag(self, key: str) -> bool | None:
        value = self.value.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.error(key, "not true or false", value)
        return value
