"""What fills an image: its bytes by owner, by folder of the owner, and by file."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from scripts.common.text import printable
from scripts.image.inventory import Inventory, Owner

OTHER = Owner("other", "other")
# a name that is longer than this is cut in the middle
LONGEST = 120


@dataclass(frozen=True)
class Part:
    """Bytes under a name; `parts` are what they are made of, the largest first."""

    name: str
    size: int
    files: int
    kind: str = ""
    version: str = ""
    parts: tuple[Part, ...] = ()
    licence: str = ""


def by_owner(image: Inventory, licences: Mapping[Owner, str] | None = None) -> tuple[Part, ...]:
    """Return a part an owner, each of folders, each of files; the largest first.

    Their sizes add up to the installed size: a file that a later layer replaces counts too.
    """
    files: dict[Owner, list[Part]] = defaultdict(list)
    owners = image.owners()
    for layer in image.layers:
        for entry in layer.entries:
            if entry.kind == "file":
                owner = owners.get(entry.path, OTHER)
                files[owner].append(Part(entry.path, entry.size, 1))
    licence_of = licences or {}
    return largest_first(
        _owner(owner, entries, licence_of.get(owner, "")) for owner, entries in files.items()
    )


def _owner(owner: Owner, files: list[Part], licence: str) -> Part:
    folders = [posixpath.dirname(file.name).split("/") for file in files]
    depth = _shared(folders) + 1
    grouped: dict[str, list[Part]] = defaultdict(list)
    for folder, file in zip(folders, files, strict=True):
        grouped["/".join(folder[:depth])].append(file)
    parts = largest_first(_sum(name, entries) for name, entries in grouped.items())
    return Part(
        shown(owner.name),
        sum(part.size for part in parts),
        len(files),
        owner.kind,
        shown(owner.version),
        parts,
        shown(licence),
    )


def _shared(folders: list[list[str]]) -> int:
    """Return how many leading parts all folders have in common."""
    first, last = min(folders), max(folders)
    pairs = zip(first, last, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(first), len(last)))


def _sum(name: str, files: list[Part]) -> Part:
    named = largest_first(Part(shown(file.name), file.size, 1) for file in files)
    return Part(shown(name or "/"), sum(file.size for file in files), len(files), "", "", named)


def largest_first(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Return parts by size, the largest first; by name where sizes are equal."""
    return tuple(sorted(parts, key=lambda part: (-part.size, part.name)))


def files_of(owners: Iterable[Part]) -> Iterator[tuple[Part, Part]]:
    """Yield every file with its owner."""
    for owner in owners:
        for folder in owner.parts:
            for file in folder.parts:
                yield file, owner


def shown(name: str) -> str:
    """Return a name for a person: one printable line, cut in the middle when it is long."""
    name = printable(name)
    half = LONGEST // 2
    return name if len(name) <= LONGEST else f"{name[:half]}…{name[-half:]}"
