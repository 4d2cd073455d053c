"""Run the unit tests on every available Python: Debian's releases, and those on PATH.

eg: python -m tests.pythons               python -m tests.pythons forky python3.12
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conftest import ROOT
from tests.pythons import debian
from tests.support.tracked import present

INTERPRETERS = ("python3.11", "python3.12", "python3.13", "python3.14")
TESTS = ("tests/unit",)
# author of the commit in a copy of the checkout, which tests push
NOBODY = ("-c", "user.name=tests", "-c", "user.email=tests@sutra.invalid")


def on_path(interpreter: str) -> int:
    """Run the unit tests on an interpreter of this machine, in a copy of the checkout."""
    with tempfile.TemporaryDirectory() as folder:
        for name in present():
            (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, Path(folder) / name)
        for words in (["init", "-q", "."], ["add", "-A"], [*NOBODY, "commit", "-qm", "tests"]):
            subprocess.run(["git", *words], cwd=folder, check=True)
        environment = {**os.environ, "PYTHON": interpreter}
        subprocess.run(["scripts/venv.sh", "dev"], cwd=folder, env=environment, check=True)
        command = [".venv/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
        return subprocess.run(command, cwd=folder, env=environment).returncode


def works(interpreter: str) -> bool:
    """Return whether it is there and runs: a manager's stand-in may only say that it is not."""
    return bool(shutil.which(interpreter)) and not (
        subprocess.run([interpreter, "--version"], capture_output=True).returncode
    )


def main() -> int:
    """Run all of them, or the named ones, and end with a line for each."""
    chosen = sys.argv[1:] or [*debian.SUITES, *filter(works, INTERPRETERS)]
    codes = {}
    for name in chosen:
        print(f"pythons: {name}", flush=True)
        codes[name] = debian.run(name, TESTS) if name in debian.SUITES else on_path(name)
    for name, code in codes.items():
        print(f"pythons: {name}: {'FAILED' if code else 'ok'}")
    return int(any(codes.values()))


if __name__ == "__main__":
    sys.exit(main())
