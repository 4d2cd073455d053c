"""`make diff`: what came, went and grew between two images, by owner and by file."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from scripts import catalog, growth, inventory, terminal
from scripts.errors import OK, SutraError, run
from scripts.growth import Change
from scripts.inventory import Inventory
from scripts.units import format_change, format_size

# rows of the table; JSON has all
MOST = 20


def compare(before: Inventory, after: Inventory) -> dict[str, Any]:
    """Return totals, and the changes by owner and by file, the largest first."""
    old, new = growth.layers_of([before]), growth.layers_of([after])
    return {
        "installed": _total(before, after, "installed"),
        "download": _total(before, after, "download"),
        "owners": growth.by_owner(old, new),
        "files": growth.by_file(old, new),
    }


def _total(before: Inventory, after: Inventory, size: str) -> Change:
    old, new = (sum(getattr(layer, size) for layer in one.layers) for one in (before, after))
    return Change(size, old, new)


def as_json(found: dict[str, Any]) -> str:
    """Return everything as JSON; sizes are bytes, null where there was nothing."""

    def plain(change: Change) -> dict[str, Any]:
        versions = dict(zip(("version_before", "version_after"), change.versions, strict=True))
        sizes = {"before": change.before, "after": change.after, "bytes": change.bytes}
        return {"name": change.name, "what": change.verb, **sizes, **versions}

    return json.dumps(
        {
            key: [plain(one) for one in value] if isinstance(value, list) else plain(value)
            for key, value in found.items()
        },
        indent=2,
    )


def table(title: str, changes: Sequence[Change]) -> Table:
    """Return the first MOST changes as a table; a last row counts the rest."""
    drawn = Table(title, "", "before", "after", "change")
    drawn.columns[0].overflow = "fold"  # a path is of use as a whole
    for column in drawn.columns[2:]:
        column.justify = "right"
    for change in changes[:MOST]:
        drawn.add_row(
            change.label,
            change.verb,
            *("" if size is None else format_size(size) for size in (change.before, change.after)),
            format_change(change.bytes),
        )
    if rest := changes[MOST:]:
        total = format_change(sum(change.bytes for change in rest))
        drawn.add_row(f"{len(rest)} more, in FORMAT=json", "", "", "", total)
    return drawn


def read(reference: str) -> Inventory:
    """Return the image, or raise SutraError when it is not there."""
    found = inventory.read(None, reference)
    if found is None:
        raise SutraError(f'diff: no such image "{reference}"', "`docker images` lists them")
    return found


def main() -> int:
    """Compare two references, by default the promoted image with the one just built."""
    parser = argparse.ArgumentParser(prog="python -m scripts.diff", description=__doc__)
    parser.add_argument("image", help="an image of images.yaml")
    parser.add_argument("--from", dest="before", help="any reference; IMAGE:latest without it")
    parser.add_argument("--to", dest="after", help="any reference; IMAGE:prod without it")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    given = parser.parse_args()
    image = catalog.load().find(given.image)
    before = read(given.before or f"{image.name}:{growth.PROMOTED}")
    after = read(given.after or image.reference)
    found = compare(before, after)
    if given.format == "json":
        print(as_json(found))
        return OK
    console = terminal.console()
    console.print(f"{before.reference} → {after.reference}", markup=False)
    console.print(table("size", [found["installed"], found["download"]]))
    console.print(table("owner", found["owners"]))
    console.print(table("file", found["files"]))
    return OK


if __name__ == "__main__":
    run(main)
