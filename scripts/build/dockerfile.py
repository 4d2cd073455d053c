"""The inputs of a Dockerfile's stages: files of the context, other stages, images from outside.

Not a parser of all that BuildKit knows: of what names a file, a stage or an image.
"""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile

from scripts.common.errors import SutraError

CONTINUED = re.compile(r"\\[ \t]*\n(?:[ \t]*#[^\n]*\n)*")
VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?[-+][^}]*)?\}|(\w+))")
SCRATCH = "scratch"


@dataclass
class Stage:
    """One stage: paths of the context that it takes, and the stages and images it is made of."""

    name: str
    files: set[str] = field(default_factory=set)
    needs: set[str] = field(default_factory=set)


def stages(where: str, text: str, arguments: Mapping[str, str]) -> dict[str, Stage]:
    """Return a Dockerfile's stages by name or number, in order. Raises SutraError.

    `arguments` are the build's own, over the defaults of ARG.
    """
    by_name: dict[str, Stage] = {}
    defaults: dict[str, str] = {}
    stage: Stage | None = None
    for word, operands in _instructions(text):
        chosen = {k: v for k, v in arguments.items() if v or k not in defaults}
        operands = _expanded(operands, {**defaults, **chosen})
        if word == "ARG" and stage is None:
            name, _, value = operands.partition("=")
            defaults[name.strip()] = value.strip().strip('"')
        elif word == "FROM":
            image, name = _from(operands, len(by_name))
            stage = by_name[name] = Stage(name)
            stage.needs.add(image)
        elif stage and word in ("COPY", "ADD"):
            _copy(stage, operands)
        elif stage and word == "RUN":
            _mounts(stage, operands)
    if not by_name:
        raise SutraError(f"{where}: no FROM", "a Dockerfile has a stage at least")
    return by_name


def reached(stages_by_name: Mapping[str, Stage], target: str = "") -> tuple[set[str], set[str]]:
    """Return the paths that a target takes, with all stages it is made of, and the images.

    Without a target it is the last stage.
    """
    names_left, visited = [target or list(stages_by_name)[-1]], set[str]()
    files, images = set[str](), set[str]()
    while names_left:
        name = names_left.pop()
        if name in visited:
            continue
        visited.add(name)
        if stage := stages_by_name.get(name):
            files |= stage.files
            names_left += stage.needs
        elif name.isdigit() and int(name) < len(stages_by_name):
            names_left.append(list(stages_by_name)[int(name)])
        elif name != SCRATCH:
            images.add(name)
    return files, images


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in CONTINUED.sub(" ", "\n".join(lines) + "\n").splitlines():
        word, _, arguments = line.strip().partition(" ")
        if word:
            yield word.upper(), arguments.strip()


def _expanded(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with its variables replaced, unknown ones by nothing."""
    return VARIABLE.sub(lambda name: values.get(name[1] or name[2], ""), text)


def _from(operands: str, number: int) -> tuple[str, str]:
    words = [word for word in operands.split() if not word.startswith("--")]
    named = len(words) == 3 and words[1].lower() == "as"
    return words[0] if words else "", words[2] if named else str(number)


def _copy(stage: Stage, operands: str) -> None:
    words = operands.split()
    options = list(takewhile(lambda word: word.startswith("--"), words))
    source = next((option.removeprefix("--from=") for option in options if "--from=" in option), "")
    if source:
        stage.needs.add(source)
        return
    paths = words[len(options) :]
    names = json.loads(" ".join(paths)) if paths[:1] and paths[0].startswith("[") else paths
    stage.files |= {_place(path) for path in names[:-1] if "://" not in path}


def _mounts(stage: Stage, operands: str) -> None:
    for word in re.findall(r"--mount=(\S+)", operands):
        values = dict(pair.partition("=")[::2] for pair in shlex.split(word)[0].split(","))
        if values.get("from"):
            stage.needs.add(values["from"])
        elif values.get("type", "bind") == "bind":
            stage.files.add(_place(values.get("source") or values.get("src") or "."))


def _place(path: str) -> str:
    return posixpath.normpath(path.lstrip("/") or ".")
