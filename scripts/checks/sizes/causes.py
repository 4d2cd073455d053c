"""Find whose change made an image grow: ours, a lock's, the distribution's, or the base's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from scripts.common.labels import REVISION
from scripts.common.units import format_change
from scripts.image.inventory import Inventory

OURS = "ours"
UNKNOWN = "of no known owner"
LOCK = "a dependency's, its lock has changed"
PACKAGE = "the distribution's, a package has changed"
BASE = "the base's, its digest has changed"
SAME = "of versions that stayed, built or cleaned otherwise"
_KINDS = {
    "ours": OURS, "rust": OURS, "go": OURS, "python": LOCK, "node": LOCK, "debian": PACKAGE,
    "alpine": PACKAGE,
}  # fmt: skip # pairs
SHORT = 7

# bytes and version, by kind and name of an owner, and whether a layer of the base holds it
Bases = tuple[Collection[str], Collection[str]]
Part = tuple[int, str]
Key = tuple[str, str, bool]
_Held = dict[Key, Part]


def of(
    before: Inventory,
    after: Inventory,
    bases: Bases = ((), ()),
) -> list[tuple[str, int]]:
    """Return each cause with the bytes that it added, the most first; what shrank is left out.

    `bases` are the diff_ids of the layers of the base image, before and after.
    """
    bytes_of: Counter[str] = Counter()
    for cause, _, was, now in of_owners(before, after, bases):
        bytes_of[cause] += (now[0] if now else 0) - (was[0] if was else 0)
    return [(cause, size) for cause, size in bytes_of.most_common() if size > 0]


def of_owners(
    before: Inventory, after: Inventory, bases: Bases = ((), ())
) -> Iterator[tuple[str, Key, Part | None, Part | None]]:
    """Yield cause, key, and bytes with version before and after, of every owner of both images.

    What a base has and what is put on it are apart. None: it was not there, or is no more.
    """
    old, new = _held(before, bases[0]), _held(after, bases[1])
    for key in old | new:
        kind, _, in_base = key
        was, now = old.get(key), new.get(key)
        stayed = bool(was and now and was[0] and now[0] and was[1] == now[1])
        yield BASE if in_base else by_kind(kind, stayed), key, was, now


def by_kind(kind: str, stayed: bool) -> str:
    """Return the cause for a kind of owner; `stayed`: its version is as it was."""
    cause = _KINDS.get(kind, UNKNOWN)
    return SAME if stayed and cause in (LOCK, PACKAGE) else cause


def with_version(versions: str, version: str) -> str:
    """Return the versions of one owner with one more: "3.10, 3.20".

    Two services may lock different versions of a dependency, and a release has both.
    """
    if version == versions or not version:
        return versions
    return ", ".join(sorted({version, *filter(None, versions.split(", "))}))


def base_layers(before: Inventory, after: Inventory, base: Collection[str]) -> Bases:
    """Return the diff_ids of a base's layers in both images, given those of the base today.

    An image begins with its base's layers: the earlier one began with as many of another base.
    """
    now = [layer.diff_id for layer in after.layers if layer.diff_id in base]
    return [layer.diff_id for layer in before.layers[: len(now)]], now


def line(causes: list[tuple[str, int]], before: Inventory, after: Inventory) -> str:
    """Return "ours +0.1 MB, the base's, … +0.3 MB; commits 4fd198c..d9dd0e4", "" for no cause."""
    if not causes:
        return ""
    labelled = (image.labels.get(REVISION, "") for image in (before, after))
    revisions = [revision[:SHORT] for revision in labelled if revision]
    commits = f"; commits {'..'.join(revisions)}" if len(set(revisions)) > 1 else ""
    return in_words(causes) + commits


def in_words(causes: Sequence[tuple[str, int]]) -> str:
    """Return each cause with its bytes."""
    return "; ".join(f"{cause}: {format_change(size)}" for cause, size in causes)


def _held(image: Inventory, base: Collection[str]) -> _Held:
    held: _Held = {}
    owners = image.owners()
    for layer in image.layers:
        for entry in layer.entries:
            if entry.kind == "file":
                owner = owners[entry.path]
                key = (owner.kind, owner.name, layer.diff_id in base)
                size, versions = held.get(key, (0, ""))
                held[key] = size + entry.size, with_version(versions, owner.version)
    return held
