"""Show what was added, removed or grew between two images, by owner and by file."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from scripts.catalog import catalog
from scripts.checks.sizes import causes, growth
from scripts.checks.sizes.growth import Change
from scripts.common import arguments, terminal
from scripts.common.errors import OK, SutraError
from scripts.common.units import format_change, format_size
from scripts.image import dump, inventory
from scripts.image.inventory import Inventory

# rows of the table; JSON has all
MOST = 20
FORMATS = ("table", "json")


def compare(before: Inventory, after: Inventory) -> dict[str, Any]:
    """Return totals, and the changes by owner, by file and of equal size, the largest first."""
    old, new = growth.layers_of([before]), growth.layers_of([after])
    return {
        "installed": _total(before, after, "installed"),
        "download": _total(before, after, "download"),
        "owners": growth.by_owner(old, new),
        "files": growth.by_file(old, new),
        "at_equal_size": growth.at_equal_size(old, new),
    }


def _total(before: Inventory, after: Inventory, size: str) -> Change:
    old, new = (sum(getattr(layer, size) for layer in image.layers) for image in (before, after))
    return Change(size, old, new)


def as_json(changes: dict[str, Any]) -> str:
    """Return everything as JSON; sizes are bytes, null where there was nothing."""

    def plain(change: Change) -> dict[str, Any]:
        versions = dict(zip(("version_before", "version_after"), change.versions, strict=True))
        sizes = {"before": change.before, "after": change.after, "bytes": change.bytes}
        return {"name": change.name, "what": change.verb, **sizes, **versions}

    return json.dumps(
        {
            key: [plain(change) for change in value] if isinstance(value, list) else plain(value)
            for key, value in changes.items()
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
    if not_shown := changes[MOST:]:
        total = format_change(sum(change.bytes for change in not_shown))
        drawn.add_row(f"{len(not_shown)} more, in FORMAT=json", "", "", "", total)
    return drawn


def read(reference: str) -> Inventory:
    """Return the image, or raise SutraError when it is not there."""
    image = inventory.read(None, reference)
    if image is None:
        raise SutraError(f'diff: no such image "{reference}"', "`docker images` lists them")
    return image


def write_files(before: Inventory, after: Inventory, folder: Path) -> None:
    """Write what differs into `folder`, as each image has it.

    Raises SutraError for files that an image no longer has: its tag moved, or its file changed.
    """
    dump.prepare(folder)
    for image, other_image, name in ((before, after, dump.BEFORE), (after, before, dump.AFTER)):
        digests = dump.differing(image, other_image)
        count = dump.write(None, image, digests, folder / name)
        print(f"diff: {count} files in {folder / name}", file=sys.stderr)
        if count != len(digests):
            raise SutraError(
                f"diff: {len(digests) - count} of {len(digests)} files are no longer in "
                f'"{image.reference}"',
                f"remove {folder}, then run the same command again",
            )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("image", help="an image of images.yaml")
    arguments.value(parser, "from", "any reference; default: IMAGE:latest")
    arguments.value(parser, "to", "any reference; default: IMAGE:prod")
    arguments.value(parser, "files", "a new folder that gets the files that differ")
    arguments.value(parser, "format", "how to print", FORMATS)


def main(options: argparse.Namespace) -> int:
    """Compare two references, by default the promoted image with the one just built."""
    knobs, form = arguments.knobs(options), arguments.output_format(options, FORMATS)
    image = catalog.load().find(options.image)
    before = read(knobs.get("FROM") or f"{image.name}:{growth.PROMOTED}")
    after = read(knobs.get("TO") or image.reference)
    if folder := knobs.get("FILES"):
        write_files(before, after, Path(folder))
    difference = compare(before, after)
    if form == "json":
        print(as_json(difference))
        return OK
    console = terminal.console()
    console.print(f"{before.reference} → {after.reference}", markup=False)
    console.print(table("size", [difference["installed"], difference["download"]]))
    console.print(table("owner", difference["owners"]))
    if cause := causes.line(causes.of(before, after), before, after):
        console.print(f"by cause: {cause}", markup=False, soft_wrap=True)
    console.print(table("file", difference["files"]))
    if difference["at_equal_size"]:
        console.print(table("file of equal size", difference["at_equal_size"]))
    return OK
