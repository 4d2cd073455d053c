"""Try many packages side by side, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.common.errors import SutraError
from scripts.trial.trial import Trial

# seconds that one package may take
SECONDS = 3600


def read_list(file: Path) -> dict[str, int]:
    """Return the packages of a list, each with its rank. Raises SutraError."""
    ranks = {}
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SutraError(f"{file}: cannot be read: {error.strerror}", "check the path") from error
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        rank, _, package = line.partition("\t")
        if not rank.isdigit() or not package:
            raise SutraError(
                f'{file}: line {number}: not a rank and a package "{line}"',
                "a line is a rank, a tab and a name, such as tests/packages has them",
            )
        ranks[package] = int(rank)
    return ranks


def run(packages: Iterable[str], workers: int) -> Iterator[Trial]:
    """Try all `packages` and yield a result of each, in order."""
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(_try, packages)


def _try(package: str) -> Trial:
    words = [sys.executable, "-m", "scripts", "try-package", package, "--format", "json"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=SECONDS)
        trial = Trial(**json.loads(done.stdout))
    except subprocess.TimeoutExpired:
        return Trial(package, broke=(f"no result in {SECONDS} s",))
    except ValueError:
        reason = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[0]
        return Trial(package, broke=(reason,))
    return trial
