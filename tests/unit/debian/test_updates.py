"""What is newer of a lock at a real mirror, and the lock that takes it in."""

from __future__ import annotations

import hashlib

import pytest

from scripts.debian import updates
from scripts.debian.archive import NotKnownError, opened
from scripts.debian.packages_lock import MACHINES, Lock, Package
from scripts.debian.updates import CHANGELOG, SUITE, Update
from tests.support.debian_mirror import SUITE as TRIXIE
from tests.support.debian_mirror import Mirror

DAY = "20260102T000000Z"


def entry(name: str, version: str, text: str = "") -> str:
    return f"{name} ({version}) trixie; urgency=medium\n\n  * {text}\n\n"


def lock(*packages: tuple[str, str]) -> Lock:
    return Lock(TRIXIE, DAY, tuple(Package(*package, "all", "0" * 64) for package in packages))


def pending(mirror: Mirror, locked: Lock) -> list[Update]:
    mirror.publish()
    with opened(TRIXIE, mirror.knobs) as place:
        offers = updates.offers_of([package.name for package in locked.packages], place)
        return updates.with_cves(updates.find(locked, offers), offers, place)


def test_a_security_update_is_one_of_the_security_suite(mirror: Mirror) -> None:
    mirror.add("same", "1.0")
    mirror.add("safe", "1.0-1")
    text = entry("safe", "1.0-1+deb13u1", "CVE-2026-1000") + entry("safe", "1.0-1", "CVE-2025-1")
    mirror.add("safe", "1.0-1+deb13u1", "trixie-security", changelog=text)
    mirror.add("fix", "1.1", changelog=entry("fix", "1.1", "CVE-2026-2000"))
    mirror.add("plain", "1.1", "trixie-updates", changelog=entry("plain", "1.1"))
    mirror.add("plain", "1.0")
    locked = lock(("same", "1.0"), ("safe", "1.0-1"), ("fix", "1.0"), ("plain", "1.0"))
    assert pending(mirror, locked) == [
        Update("fix", "1.0", "1.1", "fix", CHANGELOG, ("CVE-2026-2000",)),
        Update("plain", "1.0", "1.1", "plain"),
        Update("safe", "1.0-1", "1.0-1+deb13u1", "safe", SUITE, ("CVE-2026-1000",)),
    ]


def test_an_older_package_of_the_security_suite_is_no_update(mirror: Mirror) -> None:
    mirror.add("safe", "1.0", "trixie-security")
    mirror.add("safe", "1.2")
    assert pending(mirror, lock(("safe", "1.2"))) == []
    assert pending(mirror, lock(("safe", "1.0")))[0].security == ""
    assert pending(mirror, lock(("safe", "1.3"))) == []


def test_packages_of_one_source_share_its_changelog(mirror: Mirror) -> None:
    mirror.add("libz1", "1.1", source="z", changelog=entry("z", "1.1", "CVE-2026-3000"))
    mirror.add("libz-data", "1.1", source="z")
    named = {
        update.name: update.cves
        for update in pending(mirror, lock(("libz-data", "1.0"), ("libz1", "1.1")))
    }
    assert named == {"libz-data": ("CVE-2026-3000",)}


def test_what_has_no_changelog_is_not_known_to_be_safe(mirror: Mirror) -> None:
    mirror.add("bare", "1.1")
    [update] = pending(mirror, lock(("bare", "1.0")))
    assert (update.cves, update.why) == ((), "no package of its source has a changelog")


def test_a_package_that_cannot_be_fetched_is_an_update_all_the_same(mirror: Mirror) -> None:
    mirror.add("gone", "1.1", changelog=entry("gone", "1.1", "CVE-2026-4000"))
    (mirror.folder / "debian/pool/gone_1.1_all.deb").unlink()
    [update] = pending(mirror, lock(("gone", "1.0")))
    assert (update.newest, update.cves) == ("1.1", ())
    assert "404" in update.why


def test_a_package_that_cannot_be_read_is_an_update_all_the_same(
    mirror: Mirror,
) -> None:
    """Its hash is the index's, and it is no package: a mirror's own mistake."""
    mirror.add("odd", "1.1")
    deb = mirror.folder / "debian/pool/odd_1.1_all.deb"
    before, size = hashlib.sha256(deb.read_bytes()).hexdigest(), deb.stat().st_size
    deb.write_bytes(b"x" * size)
    after = hashlib.sha256(deb.read_bytes()).hexdigest()
    for listed in mirror.entries.values():
        listed[:] = [text.replace(before, after) for text in listed]
    [update] = pending(mirror, lock(("odd", "1.0")))
    assert update.newest == "1.1"
    assert update.why.startswith("odd_1.1_all.deb: cannot be read: ")


def test_a_package_that_is_too_large_is_not_fetched(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.add("large", "1.1", changelog=entry("large", "1.1", "CVE-2026-5000"))
    monkeypatch.setattr(updates, "MOST", 1)
    assert (
        pending(mirror, lock(("large", "1.0")))[0].why == "no package of its source has a changelog"
    )


def test_a_package_that_the_release_has_not_is_not_known(mirror: Mirror) -> None:
    mirror.add("other", "1.0")
    with pytest.raises(NotKnownError) as caught:
        pending(mirror, lock(("none", "1.0")))
    assert caught.value.message == 'debian: not known: trixie has no package "none" for all'


def test_machines_that_differ_are_an_update_each(mirror: Mirror) -> None:
    for machine, version in zip(MACHINES, ("1.1", "1.2"), strict=True):
        mirror.add("apart", version, architecture=machine)
    packages = tuple(Package("apart", "1.0", machine, "0" * 64) for machine in MACHINES)
    assert [update.newest for update in pending(mirror, Lock(TRIXIE, DAY, packages))] == [
        "1.1",
        "1.2",
    ]


def test_a_lock_takes_in_what_is_named_and_nothing_else(mirror: Mirror) -> None:
    hashes = {machine: mirror.add("a1", "1.1", architecture=machine) for machine in MACHINES}
    shared = mirror.add("b1", "2.0")
    mirror.publish()
    before = Lock(
        TRIXIE,
        DAY,
        (
            *(Package("a1", "1.0", machine, "0" * 64) for machine in MACHINES),
            Package("b1", "1.9", "all", "0" * 64),
        ),
    )
    with opened(TRIXIE, mirror.knobs) as place:
        offers = updates.offers_of(["a1", "b1"], place)
    taken = updates.updated_lock(before, {"a1"}, offers, "")
    assert taken.packages == (
        *(Package("a1", "1.1", machine, hashes[machine]) for machine in MACHINES),
        Package("b1", "1.9", "all", "0" * 64),
    )
    assert taken.day == updates.tomorrow()
    newest = updates.newest_lock(TRIXIE, ["b1", "a1"], offers, DAY)
    assert newest.packages == (*taken.packages[:2], Package("b1", "2.0", "all", shared))
    assert newest.day == DAY
    with pytest.raises(NotKnownError) as caught:
        updates.newest_lock(TRIXIE, ["c1"], offers, DAY)
    assert caught.value.why == 'trixie has no package "c1" for amd64'
