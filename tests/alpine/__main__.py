"""Run a command with the variables for a build on the test's Alpine; its mirror runs meanwhile.

eg: python -m tests.alpine .venv/bin/python -m scripts bench bases
"""

from __future__ import annotations

import os
import subprocess
import sys

from scripts.common.errors import run
from scripts.engine import client as engine
from tests.alpine import mirror


def main() -> int:
    """Run the command line; return its exit code."""
    with mirror.variables(engine.connect()) as variables:
        return subprocess.run(sys.argv[1:], env={**os.environ, **variables}).returncode


if __name__ == "__main__":
    run(main)
