"""Check results as tables: one of sizes, a row an image, and one of every other check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.markup import escape
from rich.table import Table

from scripts.common import platforms
from scripts.common.check_result import RELEASE, CheckResult
from scripts.common.units import format_size, format_time

Row = tuple[str, ...]
SIZES = ("installed", "download")
SIZE_HEADINGS = ("image", "installed", "budget", "download", "budget", "ok")
CHECK_HEADINGS = ("image", "check", "actual", "limit", "ok")
SHARED = " (shared layers once)"
NO_LIMIT = "–"
NOT_MEASURED = "not measured"
BLANK = ("", "")


def bodies(results: Sequence[CheckResult]) -> Iterator[tuple[Row, list[Row]]]:
    """Yield headings and rows of each table that has any."""
    for headings, rows in ((SIZE_HEADINGS, sizes(results)), (CHECK_HEADINGS, checks(results))):
        if rows:
            yield headings, rows


def sizes(results: Sequence[CheckResult]) -> list[Row]:
    """Return a row an image: name, installed, its budget, download, its budget, ok or not.

    A size that was not asked for is left blank. One that is over its budget by no fault of a pull
    request is allowed.
    """
    results_of = {(result.image, result.name): result for result in results if result.name in SIZES}
    rows: list[Row] = []
    for name in dict.fromkeys(image for image, _ in results_of):
        pair = [results_of.get((name, size)) for size in SIZES]
        figures = [
            shown
            for result in pair
            for shown in ((value(result), limit(result)) if result else BLANK)
        ]
        shown_name = name + SHARED if platforms.image_of(name) == RELEASE else name
        rows.append((shown_name, *figures, _verdict(pair)))
    return rows


def _verdict(sizes: Sequence[CheckResult | None]) -> str:
    present = [result for result in sizes if result]
    if not all(result.ok for result in present):
        return "OVER"
    over = any(
        (result.actual or 0) > result.limit for result in present if result.limit is not None
    )
    return "allowed" if over else "ok"


def checks(results: Sequence[CheckResult]) -> list[Row]:
    """Return the rows of what is no size: what was measured and what failed, each by itself.

    Where nothing was found, an image's checks share one row, which says how many
    there are, and how many of them had an exception with a reason.
    """
    rows: list[Row] = []
    others = [result for result in results if result.name not in SIZES]
    for image in dict.fromkeys(result.image for result in others):
        own = [result for result in others if result.image == image]
        quiet = [
            result
            for result in own
            if result.ok and (result.unit == "findings" or result.actual == 0)
        ]
        rows += [
            (image, result.name, value(result), limit(result), "ok" if result.ok else "FAILED")
            for result in own
            if result not in quiet
        ]
        if quiet:
            excepted = sum(bool(result.problem) for result in quiet)
            reasons = f", {excepted} with exceptions" if excepted else ""
            rows.append((image, f"{len(quiet)} without findings{reasons}", "0", "0", "ok"))
    return rows


def value(result: CheckResult) -> str:
    """Return what was found, in the unit that people read."""
    return NOT_MEASURED if result.actual is None else _amount(result.actual, result.unit)


def limit(result: CheckResult) -> str:
    """Return what was allowed, NO_LIMIT where nothing was promised."""
    return NO_LIMIT if result.limit is None else _amount(result.limit, result.unit)


def _amount(number: int, unit: str) -> str:
    shown = {"bytes": format_size, "ms": format_time}.get(unit, str)
    return shown(number)


def table(headings: Row, rows: Sequence[Row]) -> Table:
    """Return rows as a table for a terminal; the release is set apart, failures are red."""
    drawn = Table(*headings)
    for column in drawn.columns[1:-1]:
        column.justify = "left" if column.header == "check" else "right"
    for row in rows:
        if row[0].endswith(SHARED):
            drawn.add_section()
        drawn.add_row(*map(escape, row), style=None if row[-1] == "ok" else "red")
    return drawn


def markdown(headings: Row, rows: Sequence[Row]) -> str:
    """Return rows as a Markdown table."""
    rules = ["---" if name in ("image", "check", "ok", "what") else "--:" for name in headings]
    lines = ["| " + " | ".join(headings) + " |", "|" + "|".join(rules) + "|"]
    return "\n".join(lines + ["| " + " | ".join(map(_cell, row)) + " |" for row in rows])


def _cell(text: str) -> str:
    """Return a text that ends no cell of Markdown: an image's name may hold anything."""
    return text.replace("|", r"\|")
