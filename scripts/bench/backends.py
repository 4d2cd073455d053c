"""The storage on its log beside the storage on PostgreSQL, and a migration that is killed.

The measuring program is in packages/sutra-storage/benches; PostgreSQL is this machine's, started
for it and removed afterwards.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from scripts.bench import programs
from scripts.common.errors import OK, SutraError
from scripts.report import readme_tables

DOCUMENT = Path("docs/scaling.md")
COMMAND = ("scripts/postgres.sh", "packages/sutra-storage/benches/run.sh", "backends")


def figures() -> str:
    """Return the table and the lines below it, as Markdown; minutes. Raises SutraError."""
    done = programs.run(COMMAND, shows_errors=True)
    if done.returncode or not done.stdout.startswith("| |"):
        raise SutraError(
            f'bench: failed "{" ".join(COMMAND)}"', "the lines above say why; it needs cargo"
        )
    return done.stdout


def main(options: argparse.Namespace, measure: Callable[[], str] = figures) -> int:
    """Print the figures; with --readme, write them into DOCUMENT as well."""
    measured = measure()
    sys.stdout.write(measured)
    if options.readme:
        readme_tables.write("backends", measured, DOCUMENT)
    return OK
