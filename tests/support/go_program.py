"""A program of a Go module, compiled with the module's own versions and hashes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def compile_to(file: Path, module: Path, package: str, version: str = "") -> None:
    """Compile a package of the requirements in a folder with go.mod; minutes.

    `version` sets a variable of the program: "path/to/package.name=value".
    """
    flags = "-s -w" + (f" -X {version}" if version else "")
    command = ["nice", "go", "build", "-trimpath", "-ldflags", flags, "-o", str(file), package]
    done = subprocess.run(
        command,
        cwd=module,
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
