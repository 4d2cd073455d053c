"""`make budgets`, the ratchet: size budgets follow what is measured down, never up.

`ready` and `memory` are for a person to lower: they differ from machine to machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import yaml

from scripts.catalog import yaml_edit
from scripts.catalog.budget import Budget
from scripts.catalog.budget_history import SIZES
from scripts.catalog.catalog import Catalog
from scripts.common.check_result import RELEASE
from scripts.common.units import format_size
from scripts.oci.layer import Measured, shared_once

# growth that a rebuild may have before a person must look at it
SLACK = Fraction(102, 100)
# budgets are written in tenths of a megabyte
STEP = 100_000


@dataclass(frozen=True)
class Lowered:
    """One budget: its key path in the file, and its bytes before and after."""

    path: tuple[str, ...]  # ("images", "sutra-api", "budget", "installed")
    before: int
    after: int

    def __str__(self) -> str:
        key = ".".join(self.path)
        return f"{key}: {format_size(self.before)} → {format_size(self.after)}"


def lowered(promises: Catalog, measured: Mapping[str, Measured]) -> list[Lowered]:
    """Return the budgets that are larger than what is measured plus SLACK, rounded up to STEP."""
    return [
        Lowered((*path, *budget.key.split("."), size), getattr(budget, size), limit)
        for path, budget, sizes in _held(promises, measured)
        for size, actual in zip(SIZES, sizes, strict=True)
        if (limit := math.ceil(actual * SLACK / STEP) * STEP) < getattr(budget, size)
    ]


def _held(
    promises: Catalog, measured: Mapping[str, Measured]
) -> Iterator[tuple[tuple[str, ...], Budget, tuple[int, int]]]:
    """Yield what each budget holds; one that several platforms share, for this machine's own."""
    for image in promises.images:
        sizes = measured[image.name]
        if image.budget.base or not image.architecture:
            yield ("images", image.key), image.budget, (sizes.installed, sizes.download)
    for release in promises.releases:
        once = shared_once(measured[image.name] for image in release.images)
        total = sum(layer.installed for layer in once), sum(layer.download for layer in once)
        if release.budget.base or release.name == RELEASE:
            yield (RELEASE,), release.budget, total


def settled(text: str, promises: Catalog, changes: list[Lowered]) -> list[Lowered]:
    """Return the changes as the file can have them.

    A value that several budgets share (`&anchor`, `<<`) goes down to the largest that
    one of them needs, or not at all.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    limits = {change.path: change.after for change in changes}
    needs: dict[int, int] = {}
    for path, before in _values(promises):
        place = yaml_edit.node(root, path).start_mark.index
        needs[place] = max(needs.get(place, 0), limits.get(path, before))
    possible = [
        replace(change, after=needs[yaml_edit.node(root, change.path).start_mark.index])
        for change in changes
    ]
    return [change for change in possible if change.after < change.before]


def _values(promises: Catalog) -> Iterator[tuple[tuple[str, ...], int]]:
    places: list[tuple[tuple[str, ...], tuple[Budget, ...]]] = [
        *((("images", image.key), (image.budget, *image.others)) for image in promises.images),
        ((RELEASE,), (promises.release, *promises.others)),
    ]
    for path, budgets in places:
        for budget in budgets:
            for size in SIZES:
                yield (*path, *budget.key.split("."), size), getattr(budget, size)


def rewritten(text: str, changes: list[Lowered]) -> str:
    """Return the file with the values of `changes` replaced, and every other byte as it was."""
    return yaml_edit.replaced(text, {change.path: format_size(change.after) for change in changes})
