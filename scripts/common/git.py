"""Why git names no commit of this checkout, in its own words, and what helps."""

from __future__ import annotations

import os
import re
import subprocess

from scripts.common.errors import SutraError

ANYWAY = "or ALLOW_DIRTY=1 promotes what nobody can trace"
# what git says → the tip; the first that matches
TIPS = (
    (r"dubious ownership in repository at '(?P<folder>.*)'",
     "`git config --global --add safe.directory {folder}`, then run the same command again"),
    (r"not a git repository",
     f"a ZIP or a copy without .git names no commit: `git clone` the repository, {ANYWAY}"),
    (r"does not have any commits yet", f"`git commit`, then run the same command again, {ANYWAY}"),
    (r"", f"`git fsck` says what is damaged, and a new `git clone` has it whole; {ANYWAY}"),
)  # fmt: skip


def unreadable_commit() -> SutraError | None:
    """Return why the checked-out commit cannot be read, or None where it can."""
    try:
        done = subprocess.run(
            ["git", "log", "-1", "--format=%H"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except OSError as error:
        return SutraError(
            f"git: no commit can be read: git does not run: {error.strerror}",
            "install git (Debian: `apt-get install git`), "
            f"then run the same command again, {ANYWAY}",
        )
    if done.returncode == 0:
        return None
    said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[0]
    match, tip = next(
        (match, tip) for pattern, tip in TIPS if (match := re.search(pattern, done.stderr))
    )
    return SutraError(
        f"git: no commit can be read: {said.removeprefix('fatal: ')}",
        tip.format(**match.groupdict()),
    )
