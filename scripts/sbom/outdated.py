"""Everything locked that is not the newest: distributions, crates and Debian's packages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from scripts.common.errors import SutraError
from scripts.debian import archive, builders_lock, packages_lock, updates
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

    @property
    def is_of_builders(self) -> bool:
        """Return whether it is of builders.lock, and in no image."""
        return self.images == (builders_lock.HOLDER,)


@dataclass(frozen=True)
class Outdated:
    """The rows, how many versions are locked, and why Debian's are not known ("": they are).

    `lock` and `offers` are Debian's: what a lock is written from. `builders` is the newest lock
    of what builds the images, None where it is the newest already.
    """

    rows: tuple[Row, ...]
    of: int
    problem: NotKnownError | None
    lock: Lock | None
    offers: Offers
    day: str
    builders: Lock | None = None

    def listed(self) -> tuple[Row, ...]:
        """Return the rows for a table: without Debian's where that part did not run."""
        is_here = not isinstance(self.problem, NotHereError)
        return tuple(row for row in self.rows if is_here or row.kind != DEB)


def find(images: Sequence[str], environment: Mapping[str, str]) -> Outdated:
    """Ask all indexes. Raises SutraError where one of Python's or Rust's does not answer."""
    holders = held_by.read(images)
    names = locked.read(images)
    rows = []
    for newer in newest.outdated(names, newest.indexes(environment)):
        dependency = newer.locked
        is_safer = (
            dependency.kind == PYPI and newer.advisories and newer.newest != dependency.version
        )
        pull = holders.pull(dependency.images)
        rows.append(
            Row(
                dependency.kind,
                dependency.name,
                dependency.version,
                newer.newest,
                ADVISORY if is_safer else "",
                newer.advisories,
                dependency.images,
                pull,
            )
        )
    lock, built_by = _locks()
    if lock is None:
        return Outdated(tuple(rows), len(names), None, None, {}, "")
    of = len(names) + sum(
        len(_names(package_lock)) for package_lock in (lock, built_by) if package_lock
    )
    try:
        return _with_debian(rows, of, lock, built_by, holders, environment)
    except NotKnownError as error:
        rows += _not_known(lock, error, holders.of, holders)
        rows += _not_known(built_by, error, _in_builders, holders) if built_by else []
        return Outdated(tuple(rows), of, error, lock, {}, "")


def _locks() -> tuple[Lock | None, Lock | None]:
    """Return the locks of the bases and of what builds them. Raises SutraError for a cut one."""
    lock, built_by = packages_lock.read(), packages_lock.read(builders_lock.LOCK)
    packages_lock.refuse_incomplete(lock, packages_lock.sliced())
    packages_lock.refuse_incomplete(built_by, builders_lock.names(), builders_lock.LOCK)
    if lock and built_by and lock.suite != built_by.suite:
        raise SutraError(
            f'{builders_lock.LOCK}: suite: "{built_by.suite}", the bases\' is "{lock.suite}"',
            packages_lock.AGAIN,
        )
    return lock, built_by


def _names(lock: Lock) -> set[str]:
    return {package.name for package in lock.packages}


def _with_debian(
    rows: Sequence[Row],
    of: int,
    lock: Lock,
    built_by: Lock | None,
    holders: Holders,
    environment: Mapping[str, str],
) -> Outdated:
    with archive.opened(lock.suite, environment) as place:
        both = _names(lock) | (_names(built_by) if built_by else set())
        offers = updates.offers_of(both, place)
        newer_packages = updates.with_cves(updates.find(lock, offers), offers, place)
        older = updates.find(built_by, offers) if built_by else []
        newest = builders_lock.newest(place, builders_lock.names()) if older else None
        older = updates.with_cves(older, offers, place)
        all_rows = (
            *rows,
            *(_row(update, holders.of(update.name), holders) for update in newer_packages),
            *(_row(update, _in_builders(update.name), holders) for update in older),
        )
        return Outdated(all_rows, of, None, lock, offers, place.day, newest)


def _in_builders(_: str) -> tuple[str, ...]:
    return (builders_lock.HOLDER,)


def _row(update: updates.Update, images: tuple[str, ...], holders: Holders) -> Row:
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


def _not_known(
    lock: Lock,
    error: NotKnownError,
    images_of: Callable[[str], tuple[str, ...]],
    holders: Holders,
) -> list[Row]:
    rows = []
    for name, version in sorted({(package.name, package.version) for package in lock.packages}):
        images = images_of(name)
        pull = holders.pull(images)
        rows.append(Row(DEB, name, version, None, "", None, images, pull, error.why))
    return rows
