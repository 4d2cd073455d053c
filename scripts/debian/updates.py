"""Which locked packages Debian has newer versions of, and the lock that takes them in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from scripts.debian import changelog, index, packages_lock, versions
from scripts.debian.archive import Archive, NotKnownError
from scripts.debian.index import Offer, Offers
from scripts.debian.packages_lock import MACHINES, Lock, Package

# the most bytes of a package that is fetched for its changelog
MOST = 64 << 20
# Debian's security suite has it; its changelog names vulnerabilities
SUITE, CHANGELOG = "security suite", "changelog"


@dataclass(frozen=True, order=True)
class Update:
    """A locked package of which there is a newer one.

    `security` says by what it is a security update: SUITE, CHANGELOG, or "" for another update.
    `cves` are those that the changelog names since; `why` they are not known, "" where they are.
    """

    name: str
    locked: str
    newest: str
    source: str
    security: str = ""
    cves: tuple[str, ...] = ()
    why: str = ""


def find(lock: Lock, offers: Offers) -> list[Update]:
    """Return the updates, one for all machines where they agree. Raises NotKnownError."""
    newer = {
        update
        for package in lock.packages
        for machine in packages_lock.machines(package)
        if (update := _update(lock, package, offers.get((package.name, machine), [])))
    }
    return sorted(newer)


def _update(lock: Lock, package: Package, offers: Sequence[Offer]) -> Update | None:
    best = _best(offers)
    if best is None:
        raise NotKnownError(
            f'{lock.suite} has no package "{package.name}" for {package.architecture}',
            "check the name in base-images/*-prod.Dockerfile",
        )
    if not versions.is_newer(best.package.version, package.version):
        return None
    is_safer = any(
        offer.is_security and versions.is_newer(offer.package.version, package.version)
        for offer in offers
    )
    security = SUITE if is_safer else ""
    return Update(package.name, package.version, best.package.version, best.source, security)


def _best(offers: Iterable[Offer]) -> Offer | None:
    offer_of_version = {offer.package.version: offer for offer in offers}
    return offer_of_version.get(versions.newest(offer_of_version))


def with_cves(updates: Sequence[Update], offers: Offers, place: Archive) -> list[Update]:
    """Return the updates with what changelogs name; packages of one source share theirs."""
    sources = {(update.source, update.newest) for update in updates}
    words = {
        (offer.source, f"{name}:{machine}={offer.package.version}")
        for (name, machine), of_one in offers.items()
        for offer in of_one
        if (offer.source, offer.package.version) in sources
        and machine == MACHINES[0]
        and offer.size <= MOST
    }
    try:
        debs = place.download(sorted(word for _, word in words)) if words else []
        texts = {deb.name.partition("_")[0]: changelog.of(deb) for deb in debs}
    except NotKnownError as error:
        return [replace(update, why=error.why) for update in updates]
    return [_named(update, texts, words) for update in updates]


def _named(
    update: Update, texts: Mapping[str, str | None], words: Collection[tuple[str, str]]
) -> Update:
    """Return the update with what its own changelog names, or that of another of its source."""
    same = sorted(word.partition(":")[0] for source, word in words if source == update.source)
    for name in (update.name, *same):
        if text := texts.get(name):
            if not changelog.has_entries(text):
                return replace(update, why="its changelog has no entry in Debian's form")
            cves = changelog.cves(text, update.locked)
            security = update.security or (CHANGELOG if cves else "")
            return replace(update, cves=cves, security=security)
    return replace(update, why="no package of its source has a changelog")


def newest_lock(suite: str, names: Iterable[str], offers: Offers, day: str) -> Lock:
    """Return the lock of the newest versions of all names. Raises NotKnownError."""
    packages = []
    for name in sorted(set(names)):
        for machine in MACHINES:
            best = _best(offers.get((name, machine), []))
            if best is None:
                raise NotKnownError(
                    f'{suite} has no package "{name}" for {machine}',
                    "check the name in base-images/*-prod.Dockerfile",
                )
            packages.append(best.package)
    return Lock(suite, day or tomorrow(), tuple(sorted(set(packages))))


def updated_lock(lock: Lock, names: Collection[str], offers: Offers, day: str) -> Lock:
    """Return the lock with the newest of these packages; all else stays as it is."""
    packages = set()
    for package in lock.packages:
        for machine in packages_lock.machines(package):
            best = _best(offers.get((package.name, machine), []))
            packages.add(best.package if best and package.name in names else package)
    return Lock(lock.suite, day or tomorrow(), tuple(sorted(packages)))


def tomorrow() -> str:
    """Return the first moment whose snapshot has what a mirror has now."""
    at = datetime.now(UTC) + timedelta(days=1)
    return at.strftime("%Y%m%dT000000Z")


def offers_of(names: Iterable[str], place: Archive) -> Offers:
    """Return what an archive has of some packages."""
    return index.read(place.indexes(), set(names))
