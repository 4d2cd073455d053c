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
    for word, rest in _instructions(text):
        given = {k: v for k, v in arguments.items() if v or k not in defaults}
        rest = _expanded(rest, {**defaults, **given})
        if word == "ARG" and stage is None:
            name, _, value = rest.partition("=")
            defaults[name.strip()] = value.strip().strip('"')
        elif word == "FROM":
            image, name = _from(rest, len(by_name))
            stage = by_name[name] = Stage(name)
            stage.needs.add(image)
        elif stage and word in ("COPY", "ADD"):
            _copy(stage, rest)
        elif stage and word == "RUN":
            _mounts(stage, rest)
    if not by_name:
        raise SutraError(f"{where}: no FROM", "a Dockerfile has a stage at least")
    return by_name


def reached(found: Mapping[str, Stage], target: str = "") -> tuple[set[str], set[str]]:
    """Return the paths that a target takes, with all stages it is made of, and the images.

    Without a target it is the last stage.
    """
    left, seen = [target or list(found)[-1]], set[str]()
    files, images = set[str](), set[str]()
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        if stage := found.get(name):
            files |= stage.files
            left += stage.needs
        elif name.isdigit() and int(name) < len(found):
            left.append(list(found)[int(name)])
        elif name != SCRATCH:
            images.add(name)
    return files, images


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in CONTINUED.sub(" ", "\n".join(lines) + "\n").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word:
            yield word.upper(), rest.strip()


def _expanded(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with its variables replaced, unknown ones by nothing."""
    return VARIABLE.sub(lambda name: values.get(name[1] or name[2], ""), text)


def _from(rest: str, number: int) -> tuple[str, str]:
    words = [word for word in rest.split() if not word.startswith("--")]
    named = len(words) == 3 and words[1].lower() == "as"
    return words[0] if words else "", words[2] if named else str(number)


def _copy(stage: Stage, rest: str) -> None:
    words = rest.split()
    options = list(takewhile(lambda word: word.startswith("--"), words))
    source = next((each.removeprefix("--from=") for each in options if "--from=" in each), "")
    if source:
        stage.needs.add(source)
        return
    paths = words[len(options) :]
    names = json.loads(" ".join(paths)) if paths[:1] and paths[0].startswith("[") else paths
    stage.files |= {_place(each) for each in names[:-1] if "://" not in each}


def _mounts(stage: Stage, rest: str) -> None:
    for word in re.findall(r"--mount=(\S+)", rest):
        values = dict(pair.partition("=")[::2] for pair in shlex.split(word)[0].split(","))
        if values.get("from"):
            stage.needs.add(values["from"])
        elif values.get("type", "bind") == "bind":
            stage.files.add(_place(values.get("source") or values.get("src") or "."))


def _place(path: str) -> str:
    return posixpath.normpath(path.lstrip("/") or ".")
