"""Write the tables of CIS and NIST controls into docs/controls.md."""

from __future__ import annotations

import argparse

from scripts.common.errors import OK
from scripts.report import controls
from scripts.report.readme_tables import write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no arguments."""


def main(options: argparse.Namespace) -> int:
    """Rewrite the block from scripts/report/controls.yaml."""
    write("controls", controls.tables(controls.load()), controls.DOCUMENT)
    return OK
