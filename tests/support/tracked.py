"""The files that git knows of this checkout."""

from __future__ import annotations

import subprocess

from tests.conftest import ROOT


def tracked(*patterns: str) -> list[str]:
    """Return the paths of tracked files by git's patterns, such as "*.py", in git's order."""
    return _listed("--", *patterns)


def present(*patterns: str) -> list[str]:
    """Return what a commit of this checkout would have: files changed or new, as they are now."""
    names = _listed("--cached", "--others", "--exclude-standard", "--", *patterns)
    return [name for name in names if (ROOT / name).is_file()]


def _listed(*words: str) -> list[str]:
    command = ["git", "ls-files", "-z", *words]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return listed.stdout.split("\0")[:-1]
