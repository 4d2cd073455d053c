"""Write the tables of sizes into README.md."""

from __future__ import annotations

import argparse

from scripts.catalog import catalog
from scripts.checks.sizes import budgets, measure
from scripts.common.errors import OK
from scripts.engine import client as engine
from scripts.report import show
from scripts.report.readme_tables import savings, write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no arguments."""


def main(options: argparse.Namespace) -> int:
    """Measure all images and rewrite the block."""
    client, promises = engine.connect(), catalog.load()
    measured = measure.measure_all(client, promises)
    sizes = show.as_text(budgets.verify(promises, measured), "markdown")
    write("sizes", f"{sizes}\n\n{savings(client, promises, measured)}\n")
    return OK
