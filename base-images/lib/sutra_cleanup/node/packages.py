"""The packages of a node_modules folder, and what each offers to those that import it.

Source: https://nodejs.org/api/packages.html, "Package entry points".
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..tree import Plan

# a package's own folder, below the last node_modules of a path; names with a dot are npm's own
_PACKAGE = re.compile(
    r"(?P<above>(?:.*/)?node_modules/)?(?P<name>(?:@[^/]+/)?[^/@.][^/]*)/.+", re.DOTALL
)
ABOUT = "package.json"


@dataclass(frozen=True)
class Package:
    """One package: the folder that has it ("" or "a/node_modules/"), and its name there."""

    above: str
    name: str

    @property
    def folder(self) -> str:
        """The package's own folder, with a slash at its end."""
        return f"{self.above}{self.name}/"


class NodePlan(Plan):
    """The plan of a node_modules folder: what belongs to a package is in its folder."""

    def owner(self, path: str) -> str:
        """Return the name of the package that `path` is in, else its top-level folder."""
        package = of(path)
        return package.name if package else path.partition("/")[0]

    @cached_property
    def packages(self) -> tuple[Package, ...]:
        """All packages that say what they are, in order."""
        candidates = (of(e.path) for e in self.entries if e.path.endswith(f"/{ABOUT}"))
        paths = {entry.path for entry in self.entries}
        packages = {
            package for package in candidates if package and f"{package.folder}{ABOUT}" in paths
        }
        return tuple(sorted(packages, key=lambda package: package.folder))


def of(path: str) -> Package | None:
    """Return the package that a file is in, None for one beside all packages."""
    # greedy: the last node_modules counts; the tree itself is one
    match = _PACKAGE.fullmatch(path)
    return Package(match["above"] or "", match["name"]) if match else None


def about(plan: Plan, package: Package) -> dict[str, Any]:
    """Return the package.json of a package, empty for one that nobody can read."""
    try:
        with open(f"{os.fspath(plan.tree)}/{package.folder}{ABOUT}", encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def entries(package: Package, manifest: dict[str, Any]) -> Iterator[str]:
    """Yield the names by which a package is imported, without patterns: "a", "a/b"."""
    exports = manifest.get("exports")
    paths = [name for name in exports if name.startswith(".")] if isinstance(exports, dict) else []
    for path in paths or ["."]:
        if "*" not in path and not path.endswith("/"):
            yield package.name + path[1:]
