"""The one place that shows check results: tables for people, other formats for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from scripts.common import terminal
from scripts.common.check_result import CheckResult
from scripts.common.text import printable
from scripts.report import github, junit, tables

FORMATS = ("table", "markdown", "json", "junit", "github")


def show(
    results: Sequence[CheckResult],
    form: str = "table",
    everything: bool = False,
    compared: str = "",
) -> None:
    """Print all results to stdout; to stderr a line for each that failed or has a reason.

    With `everything` that line becomes one for each finding. With "github" what failed
    becomes annotations, and all else goes to the job's summary, `compared` with it.
    """
    shown = [
        replace(
            result,
            image=printable(result.image),
            problem=printable(result.problem),
            file=printable(result.file),
            key=printable(result.key),
            findings=tuple(map(printable, result.findings)),
        )
        for result in results
    ]
    if form == "table":
        console = terminal.console(100)
        for headings, rows in tables.bodies(shown):
            console.print(tables.table(headings, rows))
    elif text := as_text(shown, form, compared):
        print(text)
    for result in shown:
        if result.detail and (everything or form != "github"):
            lines = _lines(result) if everything else [result.detail]
            print("\n".join(lines), file=sys.stderr)


def _lines(result: CheckResult) -> list[str]:
    """Return a line a finding, each with the file and key path of the promise."""
    return [result.place + finding for finding in result.findings] or [result.detail]


def as_text(results: Sequence[CheckResult], form: str, compared: str = "") -> str:
    """Return the results in one of the formats that are text."""
    if form == "json":
        return json.dumps([result.as_dict() for result in results], indent=2)
    if form == "junit":
        return junit.document(results)
    if form == "github":
        return github.show(results, compared=compared)
    return "\n\n".join(tables.markdown(headings, rows) for headings, rows in tables.bodies(results))
