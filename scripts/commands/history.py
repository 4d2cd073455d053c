"""Show what was promoted: when, by whom, from which commit, and which images."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from rich.table import Table

from scripts.common import arguments, terminal
from scripts.common.errors import OK
from scripts.common.units import format_size
from scripts.history import journal, ledger
from scripts.history.ledger import Entry
from scripts.promotion.plan import short

HEADINGS = ("#", "when", "who", "what", "commit", "tags", "image", "digest", "installed",
            "download", "verdict")  # fmt: skip # headings in one row
WIDTH = 180
# verbs that a table shows with another word
VERBS = {"rollback": "rollback to"}
FORMATS = ("table", "json")


def rows(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    """Return a row an image of each entry, newest entry first; "*" marks what is current."""
    lines: list[tuple[str, ...]] = []
    for entry in reversed(entries):
        current = "*" if entry.number == entries[-1].of else ""
        of_entry: tuple[str, ...] = (
            f"{entry.number}{current}",
            entry.at,
            entry.who,
            f"{VERBS.get(entry.verb, entry.verb)} {entry.version or f'#{entry.of}'}",
            entry.commit[:7] + "-dirty" * entry.commit.endswith("-dirty"),
            " ".join(entry.tags),
        )
        for name, image in entry.images.items():
            sizes = format_size(image.installed), format_size(image.download)
            lines.append((*of_entry, name, short(image.digest or image.id), *sizes, entry.verdict))
            of_entry = ("",) * len(of_entry)
    return lines


def table(body: Sequence[tuple[str, ...]]) -> Table:
    """Return the rows as a table for a terminal, each entry apart."""
    drawn = Table(*HEADINGS)
    for row in body:
        if row[0]:
            drawn.add_section()
        drawn.add_row(*row)
    return drawn


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    arguments.value(parser, "format", "how to print", FORMATS)


def main(options: argparse.Namespace) -> int:
    """Print the ledger; say on stderr when a promotion did not end."""
    form = arguments.output_format(options, FORMATS)
    journal.warn_pending()
    entries = ledger.read()
    if form == "json":
        print(json.dumps([entry.as_dict() for entry in entries], indent=2))
    elif not entries:
        print(f"nothing was promoted yet ({ledger.LEDGER})")
    else:
        terminal.console(WIDTH).print(table(rows(entries)))
    return OK
