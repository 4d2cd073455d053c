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
COUNTED = ("image", "checks", "waived", "failed", "ok")
SIZES = ("installed", "download")
SHARED = f"{RELEASE} (shared layers once)"


def show(results: Sequence[CheckResult], form: str = "table") -> None:
    """Print all results to stdout; to stderr a line for each that failed or has a reason."""
    if form == "json":
        print(json.dumps([result.as_dict() for result in results], indent=2))
        _say_why(results)
        return
    sizes = [result for result in results if result.name in SIZES]
    others = [result for result in results if result.name not in SIZES]
    for headings, body in ((HEADINGS, rows(sizes)), (COUNTED, counted(others))):
        if body and form == "markdown":
            print(markdown(body, headings))
        elif body:
            drawn = table(body, headings)
            Console(width=None if sys.stdout.isatty() else 100).print(drawn)
    _say_why(results)


def counted(results: Sequence[CheckResult]) -> list[tuple[str, ...]]:
    """Return a row an image: name, how many checks, how many waived and failed, ok or not."""
    found: list[tuple[str, ...]] = []
    for name in dict.fromkeys(result.image for result in results):
        mine = [result for result in results if result.image == name]
        failed = sum(not result.ok for result in mine)
        waived = sum(result.ok and bool(result.detail) for result in mine)
        verdict = "FAILED" if failed else "ok"
        found.append((name, str(len(mine)), str(waived), str(failed), verdict))
    return found


def _say_why(results: Sequence[CheckResult]) -> None:
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


def table(body: Sequence[tuple[str, ...]], headings: Sequence[str] = HEADINGS) -> Table:
    """Return the rows as a table for a terminal; the release stands apart."""
    drawn = Table(*headings)
    for column in drawn.columns[1:-1]:
        column.justify = "right"
    for row in body:
        if row[0] == SHARED:
            drawn.add_section()
        drawn.add_row(*row, style="red" if row[-1] != "ok" else None)
    return drawn


def markdown(body: Sequence[tuple[str, ...]], headings: Sequence[str] = HEADINGS) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| " + " | ".join(headings) + " |", "|---" + "|--:" * (len(headings) - 2) + "|---|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in body])
