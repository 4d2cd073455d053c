"""Programs that a bench starts, each found or named in one line with what brings it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.common.errors import SutraError


def development_tool(name: str) -> str:
    """Return where a program of requirements-dev.lock is. Raises SutraError without it."""
    folder = Path(sys.executable).parent
    path = shutil.which(name, path=str(folder))
    if not path:
        raise SutraError(f'bench: needs {name}, which is not in "{folder}"', "run `make venv-dev`")
    return path


def on_path(name: str, tip: str) -> str:
    """Return where a program of this machine is. Raises SutraError without it."""
    path = shutil.which(name)
    if not path:
        raise SutraError(f"bench: needs {name}, which is not on PATH", tip)
    return path


def run(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    folder: Path = Path(),
    shows_errors: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a program and return what it wrote; with `shows_errors` its stderr is ours.

    Raises SutraError for one that cannot be started, and lets every exit code pass.
    """
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if shows_errors else subprocess.PIPE,
            text=True,
        )
    except OSError as error:
        problem = f'bench: "{command[0]}" does not run: {error.strerror}'
        raise SutraError(
            problem, f"install it, or repair what `command -v {command[0]}` names"
        ) from error
