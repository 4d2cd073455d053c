"""nektos/act, which runs GitHub's workflows on this machine: from Go's module proxy, once.

`act/go.mod` names the version, `act/go.sum` holds every module to its hash.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import ROOT
from tests.support import go_program

MODULE = ROOT / "tests/workflows/act"


def version() -> str:
    """Return the version that go.mod names: "0.2.89"."""
    match = re.search(r"github\.com/nektos/act v([\d.]+)", (MODULE / "go.mod").read_text())
    assert match
    return match[1]


def program() -> Path:
    """Return act, compiled on the first call (three minutes of CPU) and kept."""
    return go_program.kept("act", MODULE, "github.com/nektos/act", f"main.version={version()}")
