"""Verify what was promoted before, and move the tags back to it."""

from __future__ import annotations

import argparse

from scripts.common import arguments
from scripts.engine import client as engine
from scripts.promotion.options import Options
from scripts.promotion.rollback import rollback


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    arguments.value(parser, "to", "a version, or a number of the history")
    arguments.value(parser, "registry", "host/path that is rolled back as well")
    arguments.flag(parser, "dry-run", "show what would move")


def main(options: argparse.Namespace) -> int:
    """Roll back to TO, or to what was promoted before."""
    return rollback(engine.connect(), Options.read(arguments.knobs(options)))
