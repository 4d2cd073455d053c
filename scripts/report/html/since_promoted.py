"""What changed in an image since its last promotion, in words, under the cause of each change."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scripts.catalog.catalog import Image
from scripts.checks.sizes import by_cause, causes, growth
from scripts.checks.sizes.by_cause import Reason
from scripts.checks.sizes.growth import Change
from scripts.common.errors import SutraError
from scripts.common.labels import REVISION
from scripts.common.text import counted, printable
from scripts.common.units import format_change, format_size
from scripts.engine import client as engine
from scripts.history import ledger
from scripts.image.inventory import Inventory
from scripts.report.html.breakdown import shown

# most owners that one cause names
LARGEST = 8
NEVER = "Nothing was promoted under this name yet: there is nothing to compare with."


@dataclass(frozen=True)
class Because:
    """A cause, and a line for each owner that it changed, the largest change first."""

    cause: str
    change: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Since:
    """A sentence about the whole, and what changed by cause; none where nothing is comparable."""

    sentence: str
    because: tuple[Because, ...] = ()


def of(
    client: engine.Client, image: Image, after: Inventory, base: Inventory | None, cache: Path
) -> Since:
    """Return what changed in an image since its last promotion, or why that cannot be told.

    `base` is the image that it is built on, as it is now.
    """
    try:
        before = growth.promoted(client, image, cache)
        if before is None:
            return Since(_without(image))
    except SutraError as error:
        return Since(f"The promoted image cannot be read: {error.message}.")
    layers = {layer.diff_id for layer in base.layers} if base else set[str]()
    return compare(before, after, causes.base_layers(before, after, layers))


def _without(image: Image) -> str:
    """Return why there is no promoted image. Raises SutraError for a damaged history."""
    last = ledger.read()[-1:]
    if not last or image.name not in last[0].images:
        return NEVER
    return f"The engine no longer has the image of promotion {last[0].of}: nothing is compared."


def compare(before: Inventory, after: Inventory, bases: causes.Bases = ((), ())) -> Since:
    """Return what changed between two images."""
    since = printable(before.reference)
    if [layer.diff_id for layer in before.layers] == [layer.diff_id for layer in after.layers]:
        return Since(f"Nothing changed since {since}: its layers are the same.")
    reasons = by_cause.of(before, after, bases)
    same = growth.at_equal_size(growth.layers_of([before]), growth.layers_of([after]))
    if not reasons and not same:
        return Since(f"No file's bytes changed since {since}: only rights, links or times did.")
    totals = {"installed": "the installed size", "download": "the download"}
    sizes = ", ".join(_total(what, size, before, after) for size, what in totals.items())
    files = counted(len(same), "file")
    others = f" {files} changed at the same size." if same else ""
    sentence = f"Since {since}, {sizes}.{others}{_commits(before, after)}"
    return Since(sentence, tuple(_because(reason) for reason in reasons))


def _total(what: str, size: str, before: Inventory, after: Inventory) -> str:
    """Return "the download grew by 0.2 MB to 16.0 MB"."""
    old, new = (sum(getattr(layer, size) for layer in image.layers) for image in (before, after))
    if old == new:
        return f"{what} stayed at {format_size(new)}"
    return (
        f"{what} {'grew' if new > old else 'shrank'} by {_amount(new - old)} to {format_size(new)}"
    )


def _commits(before: Inventory, after: Inventory) -> str:
    """Return the commits of both, "" where one is not known or both are the same."""
    old, new = (shown(image.labels.get(REVISION, ""))[: causes.SHORT] for image in (before, after))
    return f" Commits {old} to {new}." if old and new and old != new else ""


def _because(reason: Reason) -> Because:
    lines = [_line(change) for change in reason.changes[:LARGEST]]
    if not_listed := reason.changes[LARGEST:]:
        total = format_change(sum(change.bytes for change in not_listed))
        lines.append(f"{len(not_listed)} more, {total} together")
    cause = reason.cause[0].upper() + reason.cause[1:]
    return Because(cause, format_change(reason.bytes), tuple(lines))


def _line(change: Change) -> str:
    """Return "numpy 2.0 → 2.1 grew by 0.3 MB"."""
    label = shown(change.label)
    joined = {"came": "with", "went": "with", "grew": "by", "shrank": "by"}
    if change.verb not in joined:
        return f"{label} changed, its size did not"
    return f"{label} {change.verb} {joined[change.verb]} {_amount(change.bytes)}"


def _amount(size: int) -> str:
    return format_change(abs(size)).removeprefix("+")
