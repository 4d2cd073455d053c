"""What is outdated, for people and programs: rows of a table, JSON, annotations of GitHub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scripts.common.units import format_size
from scripts.debian import builders_lock
from scripts.debian.archive import NotHereError
from scripts.debian.packages_lock import LOCK
from scripts.sbom.outdated import DEB, Outdated, Row

HEADINGS = ("kind", "name", "locked", "newest", "security", "advisories", "pull", "images")
# number of advisories that a row of a terminal's table names
SHOWN = 3
# characters that would end a cell, or the code in it
_QUOTED = str.maketrans({"|": "/", "`": "'"})
UNKNOWN, NOT_KNOWN = "unknown", "not known"


def cells(row: Row, most: int = 1000) -> tuple[str, ...]:
    """Return a row's words, by HEADINGS, with the first `most` of its advisories."""
    advisories = ", ".join((row.advisories or ())[:most])
    hidden = len(row.advisories or ()) - most
    if hidden > 0:
        advisories += f" and {hidden} more"
    why = f"{NOT_KNOWN}: {row.why}" if row.why else UNKNOWN
    security = NOT_KNOWN if row.newest is None else row.security
    return (
        row.kind,
        row.name,
        row.locked,
        NOT_KNOWN if row.newest is None else row.newest,
        security,
        why if row.advisories is None else advisories,
        NOT_KNOWN if row.pull is None else format_size(row.pull),
        ", ".join(row.images),
    )


def markdown(rows: Sequence[Row]) -> str:
    """Return a table in Markdown.

    A reason may quote a mirror: as code it neither ends its cell, nor mentions or closes anything
    in a pull request's text.
    """
    rules = ("---",) * len(HEADINGS)
    quoted = (
        replace(row, why=f"`{row.why.translate(_QUOTED)}`" if row.why else "") for row in rows
    )
    lines = (HEADINGS, rules, *map(cells, quoted))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def plain(row: Row) -> dict[str, object]:
    """Return a row as JSON has it; null is what is not known."""
    return {
        "kind": row.kind,
        "name": row.name,
        "locked": row.locked,
        "newest": row.newest,
        "security": None if row.newest is None else row.security,
        "advisories": None if row.advisories is None else list(row.advisories),
        "pull": row.pull,
        "images": list(row.images),
        "why": row.why,
    }


def summary(report: Outdated) -> str:
    """Return the last line: how many of how many."""
    unknown = sum(row.newest is None for row in report.rows)
    outdated = len(report.rows) - unknown
    line = f"{outdated} of {report.of} locked versions are outdated or have an advisory"
    if isinstance(report.problem, NotHereError):
        return f"{line}; Debian's {unknown}: {report.problem.why}"
    return line + (f", {unknown} of Debian are not known" if unknown else "")


def warnings(rows: Sequence[Row]) -> list[str]:
    """Return a workflow command for each security update, with the lock's file."""
    lines = []
    for row in rows:
        if row.security:
            lock = builders_lock.LOCK if row.is_of_builders else LOCK
            file = f"file={lock}," if row.kind == DEB else ""
            named = f": {', '.join(row.advisories)}" if row.advisories else ""
            lines.append(
                f"::warning {file}title=security update::"
                f"{row.name} {row.locked} → {row.newest}{named}"
            )
    return lines
