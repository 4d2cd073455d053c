"""How sizes changed since a record, and how much of that a pull request's author caused.

The author's are: our own files, a dependency (its lock is in the repository), what is built or
cleaned otherwise, and everything that nobody can attribute. Upstream's are other versions of a
distribution's packages: a rebuild takes them in, whoever runs it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from scripts.catalog.budget import SIZES
from scripts.checks.sizes import causes
from scripts.checks.sizes.growth import Change
from scripts.checks.sizes.recorded import Sizes
from scripts.common.check_result import RELEASE

ADDED = "a package that was not there before"
UPSTREAM = (causes.PACKAGE, causes.BASE)
INSTALLED, DOWNLOAD = SIZES[:2]


@dataclass(frozen=True)
class Growth:
    """One size of an image, or of the release, before and now, in bytes.

    `upstream` is the part of the change that the author did not cause. `unpacked` are causes with
    the unpacked bytes that each added, `owners` whose bytes grew, both the most first.
    """

    image: str
    size: str
    before: int
    after: int
    upstream: int
    unpacked: tuple[tuple[str, int], ...] = ()
    owners: tuple[Change, ...] = field(default=(), repr=False)

    @property
    def change(self) -> int:
        """The number of bytes that were added."""
        return self.after - self.before

    @property
    def authors(self) -> int:
        """The part of the change that is not upstream's."""
        return self.change - self.upstream

    def is_the_authors(self, limit: int) -> bool:
        """Return whether the author's part alone is over a limit; what is equal is within."""
        return self.authors > 0 and self.before + self.authors > limit


@dataclass
class _Held:
    """One owner's part of an image: bytes, version, and a mark that changes with its files."""

    bytes: int = 0
    version: str = field(default="", compare=False)  # of ours, it is another in every commit
    marks: tuple[str, ...] = ()
    in_base: bool = field(default=False, compare=False)  # whether a layer of the base has it


_Key = tuple[str, str]  # kind and name of an owner


def changes(before: Sizes, after: Sizes) -> Iterator[Growth]:
    """Yield both sizes of each image of `after` that was there before, and of the release."""
    for name in after.names:
        if name == RELEASE or name in before.images:
            yield from _of(name, before, after)


def _of(name: str, before: Sizes, after: Sizes) -> Iterator[Growth]:
    old, new = _held(before, name), _held(after, name)
    found, changed = _by_cause(old, new)
    grown = tuple((cause, size) for cause, size in found.most_common() if size > 0)
    owners = _owners(old, new)
    upstream = sum(found[cause] for cause in UPSTREAM)
    for size in (INSTALLED, DOWNLOAD):
        then, now = before.total(name, size), after.total(name, size)
        part = upstream if size == INSTALLED else _packed(now - then, found, changed)
        yield Growth(name, size, then, now, part, grown, owners)


def _packed(change: int, found: Mapping[str, int], changed: set[str]) -> int:
    """Return upstream's part of a change of the download.

    Packed bytes belong to a layer as a whole: they are divided as the unpacked ones that came are.
    """
    upstream = max(0, sum(size for cause, size in found.items() if cause in UPSTREAM))
    authors = max(0, sum(size for cause, size in found.items() if cause not in UPSTREAM))
    if upstream + authors:
        return change * upstream // (upstream + authors)
    # nothing grew unpacked: other bytes, which pack worse
    return change if changed and changed <= set(UPSTREAM) else 0


def _by_cause(
    old: Mapping[_Key, _Held], new: Mapping[_Key, _Held]
) -> tuple[Counter[str], set[str]]:
    """Return the unpacked bytes by cause, and the causes of every change, also of equal size."""
    found: Counter[str] = Counter()
    changed = set()
    for key in {**old, **new}:
        was, now = old.get(key), new.get(key)
        if was != now:
            cause = _cause(key, was, now)
            found[cause] += (now.bytes if now else 0) - (was.bytes if was else 0)
            changed.add(cause)
    return found, changed


def _cause(key: _Key, was: _Held | None, now: _Held | None) -> str:
    cause = causes.by_kind(key[0], bool(was and now and was.version == now.version))
    if cause != causes.PACKAGE:
        return cause
    if was is None:  # somebody asked for it: a new version alone adds none
        return ADDED
    return causes.BASE if (now or was).in_base else cause


def _held(sizes: Sizes, name: str) -> dict[_Key, _Held]:
    """Return what each owner has in an image; what a base has in itself is its own."""
    ids = sizes.of(name)
    built_on = set() if name == RELEASE or sizes.bases.issuperset(ids) else sizes.bases
    found: dict[_Key, _Held] = {}
    for layer in ids:
        for part in sizes.layers[layer].parts:
            held = found.setdefault((part.kind, part.name), _Held())
            held.bytes += part.bytes
            held.in_base |= layer in built_on
            held.version, held.marks = part.version, (*held.marks, part.mark)
    return found


def _owners(old: Mapping[_Key, _Held], new: Mapping[_Key, _Held]) -> tuple[Change, ...]:
    """Return the owners that grew, the most first."""
    nothing = _Held()
    found = [
        Change(key[1], was.bytes, now.bytes, (was.version, now.version))
        for key, now in new.items()
        if (was := old.get(key, nothing)).bytes < now.bytes
    ]
    return tuple(sorted(found, key=lambda change: (-change.bytes, change.name)))
