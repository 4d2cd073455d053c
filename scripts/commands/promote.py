"""Verify, then move :latest, and a version's tags, to what passed in this call."""

from __future__ import annotations

import argparse

from scripts.common import arguments
from scripts.engine import client as engine
from scripts.promotion.options import Options
from scripts.promotion.promote import verify_and_promote


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    arguments.publication(parser)
    arguments.value(parser, "compression", "of layers in the registry", ("gzip", "zstd"))
    arguments.value(parser, "keep", "how many promotions stay for a rollback")
    arguments.value(parser, "tests", "skip: leave out the packages' own tests", ("skip",))
    arguments.allow_uncompared(parser)
    arguments.flag(parser, "dry-run", "show which tags would move, and move none")


def main(options: argparse.Namespace) -> int:
    """Verify the images as they are now, show the table, and promote what passed."""
    chosen = Options.read(arguments.knobs(options))
    return verify_and_promote(engine.connect(), chosen)
