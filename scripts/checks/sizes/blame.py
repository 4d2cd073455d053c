"""How sizes changed since a record, and how much of that a pull request's author caused.

The author's are: our own files, a dependency (its lock is in the repository), what is built or
cleaned otherwise, and everything that nobody can attribute. Upstream's are other versions of a
distribution's packages: a rebuild takes them in, whoever runs it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
    version: str = field(default="", compare=False)  # ours changes with every commit
    marks: tuple[str, ...] = ()
    in_base: bool = field(default=False, compare=False)  # whether a layer of the base has it


_Key = tuple[str, str]  # kind and name of an owner


def changes(before: Sizes, after: Sizes) -> Iterator[Growth]:
    """Yield both sizes of each image of `after` that was there before, and of the release."""
    for name in after.names:
        if name == RELEASE or name in before.images:
            yield from _of(name, before, after)


def _of(name: str, before: Sizes, after: Sizes) -> Iterator[Growth]:
    old, new = (_held(sizes, name, sizes.of(name)) for sizes in (before, after))
    by_cause: Counter[str] = Counter()
    for caused in _causes(old, new):
        by_cause[caused.cause] += caused.change
    grown = tuple((cause, size) for cause, size in by_cause.most_common() if size > 0)
    owners = _owners(old, new)
    upstream = sum(by_cause[cause] for cause in UPSTREAM)
    for size in (INSTALLED, DOWNLOAD):
        then, now = before.total(name, size), after.total(name, size)
        part = upstream if size == INSTALLED else _packed(name, before, after)
        yield Growth(name, size, then, now, part, grown, owners)


@dataclass(frozen=True)
class _Caused:
    """The change of one owner's files: its cause, the bytes that it added, and all of them now."""

    cause: str
    change: int
    now: int


def _packed(name: str, before: Sizes, after: Sizes) -> int:
    """Return upstream's part of the change of a download, which belongs to a layer as a whole.

    The layers of the base, and those above them, are divided each for themselves: what is above
    is mostly the author's, and the base is upstream's.
    """
    has_base = (not sizes.bases.isdisjoint(sizes.of(name)) for sizes in (before, after))
    parts = (True, False) if all(has_base) else (None,)
    return sum(_of_layers(name, before, after, part) for part in parts)


def _of_layers(name: str, before: Sizes, after: Sizes, in_base: bool | None) -> int:
    """Return upstream's part of the change of some layers: the base's, the others, or all."""
    then, now = (
        [diff_id for diff_id in sizes.of(name) if in_base in (None, diff_id in sizes.bases)]
        for sizes in (before, after)
    )
    packed = [
        sum(sizes.layers[diff_id].download for diff_id in ids)
        for sizes, ids in ((before, then), (after, now))
    ]
    causes = list(_causes(_held(before, name, then), _held(after, name, now)))
    return _divided(packed[1] - packed[0], causes)


def _divided(change: int, causes: Sequence[_Caused]) -> int:
    """Return upstream's part of a change of packed bytes, divided as unpacked bytes that came.

    Any byte of a file that the author changed at equal or smaller size may pack worse. Were it
    not counted, one byte more of a package would make all of that upstream's.
    """
    upstream = sum(max(0, caused.change) for caused in causes if caused.cause in UPSTREAM)
    authors = sum(
        caused.change if caused.change > 0 else caused.now
        for caused in causes
        if caused.cause not in UPSTREAM
    )
    if upstream + authors:
        return change * upstream // (upstream + authors)
    # nothing grew unpacked: other bytes, which pack worse
    return change if causes and all(caused.cause in UPSTREAM for caused in causes) else 0


def _causes(old: Mapping[_Key, _Held], new: Mapping[_Key, _Held]) -> Iterator[_Caused]:
    """Yield what changed of each owner, also at equal size."""
    for key in {**old, **new}:
        was, now = old.get(key), new.get(key)
        if was != now:
            has = now.bytes if now else 0
            yield _Caused(_cause(key, was, now), has - (was.bytes if was else 0), has)


def _cause(key: _Key, was: _Held | None, now: _Held | None) -> str:
    cause = causes.by_kind(key[0], bool(was and now and was.version == now.version))
    if cause != causes.PACKAGE:
        return cause
    if was is None:  # somebody asked for it: a new version alone adds none
        return ADDED
    return causes.BASE if (now or was).in_base else cause


def _held(sizes: Sizes, name: str, ids: Sequence[str]) -> dict[_Key, _Held]:
    """Return what each owner has in layers of an image; what a base has in itself is its own."""
    is_base = sizes.bases.issuperset(sizes.of(name))
    built_on = set() if name == RELEASE or is_base else sizes.bases
    all_held: dict[_Key, _Held] = {}
    for layer in ids:
        for part in sizes.layers[layer].parts:
            held = all_held.setdefault((part.kind, part.name), _Held())
            held.bytes += part.bytes
            held.in_base |= layer in built_on
            held.version = causes.with_version(held.version, part.version)
            held.marks = (*held.marks, part.mark)
    return all_held


def _owners(old: Mapping[_Key, _Held], new: Mapping[_Key, _Held]) -> tuple[Change, ...]:
    """Return the owners that grew, the most first."""
    nothing = _Held()
    changes = [
        Change(key[1], was.bytes, now.bytes, (was.version, now.version))
        for key, now in new.items()
        if (was := old.get(key, nothing)).bytes < now.bytes
    ]
    return tuple(sorted(changes, key=lambda change: (-change.bytes, change.name)))
