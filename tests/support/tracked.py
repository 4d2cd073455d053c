"""The files that git knows of this checkout."""

from __future__ import annotations

import subprocess

from tests.conftest import ROOT


def tracked(*patterns: str) -> list[str]:
    """Return the paths of tracked files by git's patterns, such as "*.py", in git's order."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return listed.stdout.split("\0")[:-1]
