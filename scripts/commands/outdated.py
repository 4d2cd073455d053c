"""Name what is locked and not the newest: Debian packages, Python distributions, crates."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from scripts.catalog import catalog
from scripts.common import arguments, terminal
from scripts.common.errors import OK, WRONG_CALL
from scripts.report import github
from scripts.sbom import outdated, outdated_rows
from scripts.sbom.outdated import Outdated, Row

FORMATS = ("table", "json", "markdown", "github")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    arguments.value(parser, "format", "how to print", FORMATS)


def main(options: argparse.Namespace) -> int:
    """Ask the indexes about every locked version of every image, and print what is newer."""
    form = arguments.output_format(options, FORMATS)
    images = [image.name for image in catalog.load().images]
    report = outdated.find(images, arguments.knobs(options))
    _print(report, form)
    if report.problem:
        print(
            f"outdated: {report.problem.message}",
            f"tip: {report.problem.tip}",
            sep="\n",
            file=sys.stderr,
        )
        return WRONG_CALL
    return OK


def _print(report: Outdated, form: str) -> None:
    if form == "json":
        print(json.dumps([outdated_rows.plain(row) for row in report.rows], indent=2))
        return
    end = outdated_rows.summary(report)
    rows = report.listed()
    text = f"{outdated_rows.markdown(rows)}\n{end}"
    if form == "github":
        title = f"## Sutra: {end}\n\n{outdated_rows.markdown(rows)}\n"
        print("\n".join(filter(None, (github.add_summary(title), *outdated_rows.warnings(rows)))))
    elif form == "markdown":
        print(text)
    else:
        show(rows)
        print(end)


def show(rows: Sequence[Row]) -> None:
    """Print the rows as a table."""
    table = Table(*outdated_rows.HEADINGS)
    for row in rows:
        table.add_row(*map(escape, outdated_rows.cells(row, outdated_rows.SHOWN)))
    terminal.console().print(table)
