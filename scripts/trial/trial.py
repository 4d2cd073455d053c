"""Run the shared cleanup rules on a fresh install, and find the entries that it needs."""

from __future__ import annotations

import os
import re
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sutra_cleanup import manifest, tree
from sutra_cleanup.__main__ import clean
from sutra_cleanup.errors import BrokenTreeError, CleanupError

from scripts.common.errors import SutraError
from scripts.trial.fixes import Entries
from scripts.trial.install import dumps, install, version_of

SHARED = Path("base-images/cleanup")
RULES = ("python.yaml", "known-packages.yaml")
# trials of one package: each takes in one more entry
ROUNDS = 8


@dataclass(frozen=True)
class Trial:
    """The effect of the rules on one package with its dependencies: bytes, modules, needed entries.

    `broke` holds what did not load in each round, `entries` the YAML that leaves it whole;
    `ok` is whether the last round was proven.
    """

    package: str
    version: str = ""
    before: int = 0
    after: int = 0
    modules: int = 0
    entry_points: int = 0
    entries: str = ""
    broke: tuple[str, ...] = ()
    ok: bool = False
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return asdict(self)


def try_package(requirement: str) -> Trial:
    """Install a package and clean it, with one more entry a round, until the proof holds.

    Raises SutraError where it cannot be installed.
    """
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sutra-trial-") as folder:
        root = Path(folder, "tree")
        install(requirement, root)
        name = re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]
        trial = _rounds(requirement, version_of(name, root), root)
    return Trial(**{**trial.as_dict(), "seconds": round(time.monotonic() - start, 1)})


def _rounds(package: str, version: str, root: Path) -> Trial:
    entries, broke = Entries(), list[str]()
    for _ in range(ROUNDS):
        try:
            figures = _clean(root, entries)
        except BrokenTreeError as error:
            broke.append(error.problem)
            if not entries.take(error.fix):
                break
        except CleanupError as error:
            raise SutraError(f"{package}: {error.message}", error.tip) from error
        else:
            return Trial(
                package,
                version,
                figures["before"],
                figures["after"],
                figures["proven"],
                figures["entry_points"],
                entries.text(),
                tuple(broke),
                ok=True,
            )
    return Trial(package, version, entries=entries.text(), broke=tuple(broke))


def _clean(root: Path, entries: Entries) -> dict[str, Any]:
    file = root.parent / "manifest.yaml"
    shared = [os.fspath((SHARED / name).resolve()) for name in RULES]
    file.write_text(dumps({"extends": shared, **entries.manifest()}))
    plan = tree.plan(root, manifest.load(file))
    return clean(plan, [f"{root}/bin/python"], os.fspath(root))
