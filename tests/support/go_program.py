"""A program of a Go module, compiled once with the module's own versions and hashes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.engines import cache


def kept(name: str, module: Path, package: str, version: str = "", quickly: bool = False) -> Path:
    """Return a program, compiled by this machine's Go on the first call; minutes.

    See `compile_to` for the words; the folder's go.mod and go.sum say what the program is made of.
    """
    recipe = [(module / file).read_text() for file in ("go.mod", "go.sum")]
    return cache.kept(
        name, recipe, lambda file: compile_to(file, module, package, version, quickly)
    )


def compile_to(
    file: Path, module: Path, package: str, version: str = "", quickly: bool = False
) -> None:
    """Compile a package of the requirements in a folder with go.mod; minutes.

    `version` sets a variable of the program: "path/to/package.name=value". `quickly` leaves its
    code as it is written, which takes a third off, where the program has little to do.
    """
    flags = "-s -w" + (f" -X {version}" if version else "")
    command = ["nice", "go", "build", "-trimpath", "-ldflags", flags, "-o", str(file), package]
    if quickly:
        command.insert(-1, "-gcflags=all=-N -l")
    done = subprocess.run(
        command,
        cwd=module,
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
