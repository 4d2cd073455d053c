"""Name the locked Python distributions and crates that have newer versions or advisories."""

from __future__ import annotations

import argparse
import json

from rich.markup import escape
from rich.table import Table

from scripts.catalog import catalog
from scripts.common import arguments, terminal
from scripts.common.errors import OK
from scripts.sbom import locked, newest
from scripts.sbom.newest import Newer

FORMATS = ("table", "json", "markdown")
HEADINGS = ("kind", "name", "locked", "newest", "advisories", "images")
RULES = ("---",) * len(HEADINGS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    arguments.value(parser, "format", "how to print", FORMATS)


def main(options: argparse.Namespace) -> int:
    """Ask the indexes about every locked version of every image, and print what is newer."""
    form = arguments.output_format(options, FORMATS)
    places = newest.indexes(arguments.knobs(options))
    names = locked.read(image.name for image in catalog.load().images)
    found = newest.outdated(names, places)
    if form == "json":
        print(json.dumps([_plain(each) for each in found], indent=2))
        return OK
    rows = [_row(each) for each in found]
    if form == "markdown":
        print("\n".join(f"| {' | '.join(row)} |" for row in (HEADINGS, RULES, *rows)))
    else:
        table = Table(*HEADINGS)
        for row in rows:
            table.add_row(*map(escape, row))
        terminal.console().print(table)
    print(f"{len(found)} of {len(names)} locked versions are outdated or have an advisory")
    return OK


def _row(each: Newer) -> tuple[str, ...]:
    one = each.locked
    advisories = "unknown" if each.advisories is None else ", ".join(each.advisories)
    return one.kind, one.name, one.version, each.newest, advisories, ", ".join(one.images)


def _plain(each: Newer) -> dict[str, object]:
    return {
        "kind": each.locked.kind,
        "name": each.locked.name,
        "locked": each.locked.version,
        "newest": each.newest,
        "advisories": None if each.advisories is None else list(each.advisories),
        "images": list(each.locked.images),
    }
