"""`make budgets`, the ratchet: budgets follow what is measured down, by themselves never up."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import yaml

from scripts import catalog, engine, knobs, layers, verify_sizes
from scripts.catalog import Budget, Catalog
from scripts.checks import RELEASE
from scripts.errors import OK, run
from scripts.layers import Measured
from scripts.ratchet import SIZES
from scripts.units import format_size

# what a rebuild may add before it has to be looked at
SLACK = Fraction(102, 100)
# budgets are written in tenths of a megabyte
STEP = 100_000


@dataclass(frozen=True)
class Lowered:
    """One budget: where it stands in the file, and its bytes before and after."""

    path: tuple[str, ...]  # ("images", "sutra-api", "budget", "installed")
    before: int
    after: int

    def __str__(self) -> str:
        key = ".".join(self.path)
        return f"{key}: {format_size(self.before)} → {format_size(self.after)}"


def lowered(promises: Catalog, measured: Mapping[str, Measured]) -> list[Lowered]:
    """Return the budgets that are larger than what is measured plus SLACK, rounded up to STEP."""
    return [
        Lowered((*path, "budget", size), getattr(budget, size), wanted)
        for path, budget, sizes in _held(promises, measured)
        for size, actual in zip(SIZES, sizes, strict=True)
        if (wanted := -(-int(-(-actual * SLACK // 1)) // STEP) * STEP) < getattr(budget, size)
    ]


def _held(
    promises: Catalog, measured: Mapping[str, Measured]
) -> Iterator[tuple[tuple[str, ...], Budget, tuple[int, int]]]:
    for image in promises.images:
        found = measured[image.name]
        yield ("images", image.name), image.budget, (found.installed, found.download)
    once = layers.shared_once(measured.values())
    total = sum(layer.installed for layer in once), sum(layer.download for layer in once)
    yield (RELEASE,), promises.release, total


def rewritten(text: str, changes: list[Lowered]) -> str:
    """Return the file with the values of `changes` replaced, and every other byte as it was."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    places = [(_node(root, change.path), change) for change in changes]
    for node, change in sorted(places, key=lambda place: -place[0].start_mark.index):
        start, end = node.start_mark.index, node.end_mark.index
        text = text[:start] + format_size(change.after) + text[end:]
    return text


def _node(node: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        node = next(value for name, value in node.value if name.value == key)
    return node


def main() -> int:
    """Lower budgets in images.yaml, each change shown on stderr."""
    parser = argparse.ArgumentParser(prog="python -m scripts.budgets", description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="show what would be lowered")
    dry_run = parser.parse_args().dry_run or knobs.flag(os.environ, "DRY_RUN")
    client, promises = engine.connect(), catalog.load()
    changes = lowered(promises, verify_sizes.measure_all(client, promises))
    for change in changes:
        print("would lower" if dry_run else "lowered", change, file=sys.stderr)
    if not changes:
        print("no budget is more than 2 % above what is measured", file=sys.stderr)
    elif not dry_run:
        partial = promises.path.with_suffix(".partial")
        partial.write_text(rewritten(promises.path.read_text("utf-8"), changes), "utf-8")
        partial.rename(promises.path)
    return OK


if __name__ == "__main__":
    run(main)
