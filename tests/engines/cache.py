"""A cache outside of the checkout for files that take minutes to make: a fresh clone finds them.

Each thing is made once, under a lock, to a partial name that is renamed when it is whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from scripts.common.errors import SutraError
from tests.conftest import ROOT

FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sutra-tests"


def kept(name: str, recipe: Sequence[str], make: Callable[[Path], None]) -> Path:
    """Return the file `name` as `make` wrote it by `recipe`, which gives it another name.

    Files of other recipes go: they are hundreds of megabytes.
    """
    digest = hashlib.sha256("\n".join(recipe).encode()).hexdigest()[:12]
    file = FOLDER / f"{name}-{digest}"
    with locked(name):
        if not file.exists():
            for old in FOLDER.glob(f"{name}-*"):
                old.unlink()
            partial = FOLDER / f"{name}.partial"
            partial.unlink(missing_ok=True)
            make(partial)
            partial.rename(file)
    return file


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock `name` against other runs of the tests on this machine."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / f".{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def program(name: str, *packages: str) -> str:
    """Return where the program is, installed from Debian's packages if need be.

    Raises SutraError where it cannot be: what installs packages has printed why.
    """
    if not shutil.which(name):
        install = ["scripts/install.sh", *(packages or (name,))]
        subprocess.run(install, cwd=ROOT, check=False)  # judged by what is there then
    path = shutil.which(name)
    if not path:
        raise SutraError(f"tests: needs {name}, which is not on PATH", "the lines above say more")
    return path
