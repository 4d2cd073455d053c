"""The one place that shows check results: a table for people, Markdown or JSON for others."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from scripts.checks import RELEASE, CheckResult
from scripts.units import format_size

FORMATS = ("table", "markdown", "json")
HEADINGS = ("image", "installed", "budget", "download", "budget", "ok")
SHARED = f"{RELEASE} (shared layers once)"


def show(results: Sequence[CheckResult], form: str = "table") -> None:
    """Print all results to stdout; to stderr a line for each that failed or has a reason."""
    if form == "json":
        print(json.dumps([result.as_dict() for result in results], indent=2))
    elif form == "markdown":
        print(markdown(rows(results)))
    else:
        Console(width=None if sys.stdout.isatty() else 100).print(table(rows(results)))
    for result in results:
        if result.detail:
            print(result.detail, file=sys.stderr)


def rows(results: Sequence[CheckResult]) -> list[tuple[str, ...]]:
    """Return a row an image: name, installed, its budget, download, its budget, ok or not."""
    sizes = {(result.image, result.name): result for result in results}
    found: list[tuple[str, ...]] = []
    for name in dict.fromkeys(result.image for result in results):
        pair = [sizes.get((name, size)) for size in ("installed", "download")]
        found.append(
            (
                SHARED if name == RELEASE else name,
                *(
                    format_size(size) if one else ""
                    for one in pair
                    for size in ((one.actual, one.limit) if one else (0, 0))
                ),
                "ok" if all(one.ok for one in pair if one) else "OVER",
            )
        )
    return found


def table(body: Sequence[tuple[str, ...]]) -> Table:
    """Return the rows as a table for a terminal; the release stands apart."""
    drawn = Table(*HEADINGS)
    for column in drawn.columns[1:5]:
        column.justify = "right"
    for row in body:
        if row[0] == SHARED:
            drawn.add_section()
        drawn.add_row(*row, style="red" if row[-1] != "ok" else None)
    return drawn


def markdown(body: Sequence[tuple[str, ...]]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|---|--:|--:|--:|--:|---|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in body])
