"""Everything locked that is not the newest: distributions, crates and Debian's packages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scripts.debian import archive, packages_lock, updates
from scripts.debian.archive import NotHereError, NotKnownError
from scripts.debian.index import Offers
from scripts.debian.packages_lock import Lock
from scripts.sbom import held_by, locked, newest
from scripts.sbom.held_by import Holders
from scripts.sbom.locked import PYPI

DEB, ADVISORY = "deb", "advisory"


@dataclass(frozen=True)
class Row:
    """One locked version that is outdated or has an advisory.

    `newest` is None where it is not known, `advisories` likewise; `why` says why. `security`
    says by what a newer version is a security update, "" for none. `pull` is in bytes.
    """

    kind: str
    name: str
    locked: str
    newest: str | None
    security: str
    advisories: tuple[str, ...] | None
    images: tuple[str, ...]
    pull: int | None
    why: str = ""


@dataclass(frozen=True)
class Outdated:
    """The rows, how many versions are locked, and why Debian's are not known ("": they are).

    `lock` and `offers` are Debian's: what a lock is written from.
    """

    rows: tuple[Row, ...]
    of: int
    problem: NotKnownError | None
    lock: Lock | None
    offers: Offers
    day: str

    def listed(self) -> tuple[Row, ...]:
        """Return the rows for a table: without Debian's where that part did not run."""
        is_here = not isinstance(self.problem, NotHereError)
        return tuple(row for row in self.rows if is_here or row.kind != DEB)


def find(images: Sequence[str], environment: Mapping[str, str]) -> Outdated:
    """Ask all indexes. Raises SutraError where one of Python's or Rust's does not answer."""
    holders = held_by.read(images)
    names = locked.read(images)
    rows = []
    for each in newest.outdated(names, newest.indexes(environment)):
        one = each.locked
        is_safer = one.kind == PYPI and each.advisories and each.newest != one.version
        pull = holders.pull(one.images)
        rows.append(
            Row(
                one.kind,
                one.name,
                one.version,
                each.newest,
                ADVISORY if is_safer else "",
                each.advisories,
                one.images,
                pull,
            )
        )
    lock = packages_lock.read()
    packages_lock.refuse_incomplete(lock)
    if lock is None:
        return Outdated(tuple(rows), len(names), None, None, {}, "")
    of = len(names) + len({package.name for package in lock.packages})
    try:
        found, offers, day = _of_debian(lock, environment)
    except NotKnownError as error:
        rows += _not_known(lock, error, holders)
        return Outdated(tuple(rows), of, error, lock, {}, "")
    rows += [_row(update, holders) for update in found]
    return Outdated(tuple(rows), of, None, lock, offers, day)


def _of_debian(
    lock: Lock, environment: Mapping[str, str]
) -> tuple[list[updates.Update], Offers, str]:
    with archive.opened(lock.suite, environment) as place:
        offers = updates.offers_of([package.name for package in lock.packages], place)
        found = updates.with_cves(updates.find(lock, offers), offers, place)
        return found, offers, place.day


def _row(update: updates.Update, holders: Holders) -> Row:
    images = holders.of(update.name)
    return Row(
        DEB,
        update.name,
        update.locked,
        update.newest,
        update.security,
        None if update.why else update.cves,
        images,
        holders.pull(images),
        update.why,
    )


def _not_known(lock: Lock, error: NotKnownError, holders: Holders) -> list[Row]:
    rows = []
    for name, version in sorted({(package.name, package.version) for package in lock.packages}):
        images = holders.of(name)
        pull = holders.pull(images)
        rows.append(Row(DEB, name, version, None, "", None, images, pull, error.why))
    return rows
