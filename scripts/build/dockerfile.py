"""The inputs of a Dockerfile's stages: files of the context, other stages, images from outside.

Not a parser of all that BuildKit knows: of what names a file, a stage or an image.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from scripts.build import dockerfile_lines
from scripts.build.dockerfile_values import Scope
from scripts.common.errors import SutraError

SCRATCH = "scratch"
# text for a variable of a path whose value nobody knows: any
ANY = "*"


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
    scope = Scope(arguments)
    stage: Stage | None = None
    for word, operands in dockerfile_lines.instructions(text):
        if word == "FROM":
            image, name = _from(scope.expanded(operands, ""), len(by_name))
            stage = by_name[name] = Stage(name)
            stage.needs.add(image)
            scope.enter(name, image.lower())
        elif word in ("ARG", "ENV"):
            scope.assign(word, operands)
        elif stage and word in ("COPY", "ADD"):
            _copy(stage, scope.expanded(operands, ANY))
        elif stage and word == "RUN":
            _mounts(stage, scope.expanded(operands, ANY))
    if not by_name:
        raise SutraError(f"{where}: no FROM", "a Dockerfile has a stage at least")
    return by_name


def reached(stages_by_name: Mapping[str, Stage], target: str = "") -> tuple[set[str], set[str]]:
    """Return the paths that a target takes, with all stages it is made of, and the images.

    Without a target it is the last stage.
    """
    names_left, visited = [target or list(stages_by_name)[-1]], set[str]()  # any case, as BuildKit
    files, images = set[str](), set[str]()
    while names_left:
        name = names_left.pop()
        if name in visited:
            continue
        visited.add(name)
        if stage := stages_by_name.get(name.lower()):
            files |= stage.files
            names_left += stage.needs
        elif name.isdigit() and int(name) < len(stages_by_name):
            names_left.append(list(stages_by_name)[int(name)])
        elif name != SCRATCH:
            images.add(name)
    return files, images


def _from(operands: str, number: int) -> tuple[str, str]:
    words = [word for word in operands.split() if not word.startswith("--")]
    named = len(words) == 3 and words[1].lower() == "as"
    return words[0] if words else "", words[2].lower() if named else str(number)


def _copy(stage: Stage, operands: str) -> None:
    words = operands.split()
    options = list(takewhile(lambda word: word.startswith("--"), words))
    source = next((option.removeprefix("--from=") for option in options if "--from=" in option), "")
    if source:
        stage.needs.add(source)
        return
    paths = _listed(words[len(options) :])
    stage.files |= {_place(path) for path in paths[:-1] if not _is_elsewhere(path)}


def _listed(words: Sequence[str]) -> list[str]:
    """Return the paths of "a b /to" or of its JSON form."""
    if words and words[0].startswith("["):
        try:
            return [str(path) for path in json.loads(" ".join(words))]
        except ValueError:  # BuildKit reads it as words, too
            return list(words)
    return list(words)


def _is_elsewhere(path: str) -> bool:
    """Return whether a source is no file of the context: an address, or a heredoc."""
    return "://" in path or path.startswith("<<")


def _mounts(stage: Stage, operands: str) -> None:
    for word in takewhile(lambda word: word.startswith("--"), operands.split()):
        if not word.startswith("--mount="):
            continue
        described = word.removeprefix("--mount=").replace('"', "")
        values = dict(pair.partition("=")[::2] for pair in described.split(","))
        if values.get("from"):
            stage.needs.add(values["from"])
        elif values.get("type", "bind") == "bind":
            stage.files.add(_place(values.get("source") or values.get("src") or "."))


def _place(path: str) -> str:
    return posixpath.normpath(path.lstrip("/") or ".")
