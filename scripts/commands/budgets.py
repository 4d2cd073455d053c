"""Lower each size budget to what is measured plus 2 %."""

from __future__ import annotations

import argparse
import sys

from scripts.catalog import catalog
from scripts.checks.sizes import measure
from scripts.checks.sizes.tighten import lowered, rewritten, settled
from scripts.common import arguments, files, settings
from scripts.common.errors import OK
from scripts.engine import client as engine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    arguments.flag(parser, "dry-run", "show what would be lowered")


def main(options: argparse.Namespace) -> int:
    """Lower budgets in images.yaml, each change shown on stderr."""
    dry_run = settings.flag(arguments.knobs(options), "DRY_RUN")
    client, promises = engine.connect(), catalog.load_platforms()
    text = promises.path.read_text("utf-8")
    measured = measure.measure_all(client, promises)
    changes = settled(text, promises, lowered(promises, measured))
    for change in changes:
        print("would lower" if dry_run else "lowered", change, file=sys.stderr)
    if not changes:
        print("no budget is more than 2 % above what is measured", file=sys.stderr)
    elif not dry_run:
        files.write(promises.path, rewritten(text, changes), "budgets", "`df -h .` and `ls -ld .`")
    return OK
