"""nektos/act, which runs GitHub's workflows on this machine: from Go's module proxy, once.

`act/go.mod` names the version, `act/go.sum` holds every module to its hash.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.conftest import ROOT
from tests.engines import cache

MODULE = ROOT / "tests/workflows/act"


def version() -> str:
    """Return the version that go.mod names: "0.2.89"."""
    found = re.search(r"github\.com/nektos/act v([\d.]+)", (MODULE / "go.mod").read_text())
    assert found
    return found[1]


def program() -> Path:
    """Return act, compiled on the first call (three minutes of CPU) and kept."""
    recipe = [(MODULE / name).read_text() for name in ("go.mod", "go.sum")]
    return cache.kept("act", recipe, _compile)


def _compile(file: Path) -> None:
    build = ["go", "build", "-trimpath", "-ldflags", f"-s -w -X main.version={version()}"]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"}
    subprocess.run(
        ["nice", *build, "-o", str(file), "github.com/nektos/act"],
        cwd=MODULE,
        env=environment,
        check=True,
    )
