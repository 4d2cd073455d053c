"""The values of a Dockerfile's variables, line by line: arguments of the build, ARG and ENV."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

VARIABLE = re.compile(r"\$(?:\{(\w+)(?:(:?[-+])([^}]*))?\}|(\w+))")


@dataclass
class Scope:
    """The values of variables at one line; a stage has those of ENV of the one it begins with."""

    arguments: Mapping[str, str]
    defaults: dict[str, str] = field(default_factory=dict)
    environments: dict[str, dict[str, str]] = field(default_factory=dict)
    stage: str = ""

    def enter(self, stage: str, parent: str) -> None:
        """Begin a stage that is built from another one, or from an image."""
        self.environments[stage] = dict(self.environments.get(parent, {}))
        self.stage = stage

    def assign(self, word: str, operands: str) -> None:
        """Take the variables of an ARG or an ENV."""
        values = self.environments.get(self.stage) if word == "ENV" else None
        for name, value in _assignments(self.expanded(operands, "")):
            (self.defaults if values is None else values)[name] = value

    def expanded(self, text: str, unknown: str) -> str:
        """Return `text` with its variables replaced, those without a value by `unknown`."""
        chosen = {k: v for k, v in self.arguments.items() if v or k not in self.defaults}
        values = {**self.defaults, **chosen, **self.environments.get(self.stage, {})}
        return VARIABLE.sub(lambda match: _value(match, values, unknown), text)


def _value(match: re.Match[str], values: Mapping[str, str], unknown: str) -> str:
    """Return the value of "$X", "${X}", "${X:-otherwise}", "${X:+instead}"."""
    braced, sign, word, plain = match.groups()
    value = values.get(braced or plain)
    is_set = bool(value) if sign and sign.startswith(":") else value is not None
    if sign and sign.endswith("+"):
        return word if is_set else ""
    if is_set:
        return value or ""
    return word if sign else unknown


def _assignments(operands: str) -> Iterator[tuple[str, str]]:
    """Yield the variables that have a value: "A=1 B='two'", or "A one" as ENV had it once."""
    try:
        words = shlex.split(operands)
    except ValueError:
        words = operands.split()
    if len(words) > 1 and "=" not in words[0]:
        yield words[0], " ".join(words[1:])
        return
    yield from ((word.partition("=")[0], word.partition("=")[2]) for word in words if "=" in word)
