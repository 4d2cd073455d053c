"""Files that the shared cleanup rules keep for single packages: verify accepts them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from sutra_cleanup import manifest
from sutra_cleanup.globs import Glob
from sutra_cleanup.tree import SITE

from scripts.checks.contents.rule import Finding, Subject
from scripts.image import node_packages

SHARED = Path(__file__).resolve().parents[3] / "base-images/cleanup"
Check = Callable[[Subject], Iterator[Finding]]


@cache
def _globs(folder: Path) -> tuple[Glob, ...]:
    """Return the globs that rules with a source keep: each is about one package."""
    rules = (rule for file in sorted(folder.glob("*.yaml")) for rule in manifest.load(file).rules)
    return tuple({glob.text: glob for rule in rules if rule.source for glob in rule.keep}.values())


def is_kept(path: str) -> bool:
    """Return whether a shared rule keeps a file in a packages folder of Python or npm."""
    if not (SITE.match(path) or node_packages.folder_of(path)):
        return False
    compared = path[:-1] if path.endswith(".pyc") else path
    return any(glob.matches(compared) for glob in _globs(SHARED))


def but_kept(check: Check) -> Check:
    """Return `check` without its findings in what a shared rule keeps."""
    return lambda subject: (finding for finding in check(subject) if not is_kept(finding.path))
