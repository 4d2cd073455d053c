"""Run a command, and measure the most bytes of memory that it held.

A child of pytest would count pytest's own memory as well: a fork begins with all of its
parent's, and the kernel keeps that peak over exec. So a small process is between them.

    python peak.py ADDRESSES FILE COMMAND…   at most ADDRESSES bytes of address space; peak to FILE
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ended:
    """The result of a run: exit code, the most bytes of memory that it held, and its stderr."""

    code: int
    peak: int
    said: list[str]


def run(
    folder: Path, command: Sequence[str], environment: Mapping[str, str], addresses: int
) -> Ended:
    """Run a command in `folder`, with `addresses` bytes of address space."""
    file = folder / "peak"
    between = [sys.executable, "-IS", __file__, str(addresses), str(file)]
    done = subprocess.run(
        [*between, *command],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    return Ended(done.returncode, int(file.read_text()), done.stderr.splitlines())


def main(addresses: str, file: str, *command: str) -> int:
    """Run `command`, write its peak to `file`, and return its exit code."""
    resource.setrlimit(resource.RLIMIT_AS, (int(addresses), int(addresses)))
    code = subprocess.call(command)
    Path(file).write_text(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024))
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
