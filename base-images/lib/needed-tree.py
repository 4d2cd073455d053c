"""Copies of a virtual environment what one package of ours and its tests need: what they require,
what that requires, and nothing of the other distributions. Where two services have the same of
it, BuildKit takes a step on the copy for the same step, and runs it once.

  eg: needed-tree.py /src/sutra-service/pyproject.toml /opt/sutra /needed

Exit 1: a requirement is not installed, or a file that its RECORD names is not there.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tomllib
from importlib.metadata import Distribution, distributions
from pathlib import Path

NAME = re.compile(r"[A-Za-z0-9._-]+")


def normalised(requirement: str) -> str:
    """Return the name of a requirement: "pydantic_core>=2" is "pydantic-core" (PEP 503)."""
    match = NAME.match(requirement)
    if not match:
        raise SystemExit(f'needed-tree: not a requirement "{requirement}"')
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def needed(requirements: list[str], installed: dict[str, Distribution]) -> dict[str, Distribution]:
    """Return the distributions that `requirements` name, and those that these require, by name.

    What an extra asks for is not required, nor what is for another platform or Python.
    """
    for requirement in requirements:
        if normalised(requirement) not in installed:
            raise SystemExit(f'needed-tree: not installed "{requirement}"')
    chosen: dict[str, Distribution] = {}
    waiting = list(requirements)
    while waiting:
        name = normalised(waiting.pop())
        if name in installed and name not in chosen:
            chosen[name] = installed[name]
            waiting += [line for line in installed[name].requires or () if "extra ==" not in line]
    return chosen


def copy(distribution: Distribution, root: Path, into: Path) -> None:
    """Copy the files of a distribution to the same places below `into`."""
    for file in distribution.files or ():
        source = Path(os.path.abspath(distribution.locate_file(file)))
        target = into / source.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy2(source, target, follow_symlinks=False)
        except FileNotFoundError as error:
            name = distribution.name
            raise SystemExit(f'needed-tree: {name}: not there "{source}"') from error


def scaffold(root: Path, into: Path) -> None:
    """Copy what is of no distribution: the interpreter's links, and the environment's own file."""
    (into / "bin").mkdir(parents=True)
    for source in (*root.glob("bin/python*"), *root.glob("lib64"), root / "pyvenv.cfg"):
        target = into / source.relative_to(root)
        shutil.copy2(source, target, follow_symlinks=False)


def main(pyproject: str, environment: str, into: str) -> None:
    """Copy the interpreter's part of the environment, and what the package needs of the rest."""
    root, target = Path(environment).absolute(), Path(into)
    package = tomllib.loads(Path(pyproject).read_text())
    requirements = package["project"]["dependencies"] + package["dependency-groups"]["test"]
    (site,) = root.glob("lib/python3*/site-packages")
    installed = {normalised(d.name): d for d in distributions(path=[str(site)])}
    chosen = needed(requirements, installed)
    scaffold(root, target)
    for distribution in chosen.values():
        copy(distribution, root, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
