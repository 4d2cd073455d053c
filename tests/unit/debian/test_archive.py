"""Debian's archive by apt: signed indexes, packages by hash, and what a mirror may not do."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from scripts.common.errors import SutraError
from scripts.debian import archive
from scripts.debian.apt_errors import TIP, UNSIGNED_TIP
from scripts.debian.archive import NotHereError, NotKnownError, opened
from scripts.debian.packages_lock import MACHINES
from tests.support.debian_mirror import SUITE, Mirror


def problem(mirror: Mirror, **knobs: str) -> NotKnownError:
    """Return the error of an archive at a mirror that is not known."""
    with pytest.raises(NotKnownError) as caught, opened(SUITE, {**mirror.knobs, **knobs}) as place:
        place.indexes()
    assert caught.value.message == f"debian: not known: {caught.value.why}"
    return caught.value


def why(mirror: Mirror, **knobs: str) -> str:
    """Return why the archive at a mirror is not known."""
    return problem(mirror, **knobs).why


def test_a_signed_archive_has_every_part_for_every_machine(mirror: Mirror) -> None:
    for part in ("trixie", "trixie-updates", "trixie-security"):
        mirror.add("small", "1:2.0-1", part)
    mirror.publish()
    with opened(SUITE, mirror.knobs) as place:
        indexes = {(index.part, index.machine, index.is_security) for index in place.indexes()}
        assert indexes == {
            (part, machine, part == "trixie-security")
            for part in ("trixie", "trixie-updates", "trixie-security")
            for machine in MACHINES
        }
        [deb] = place.download(["small:amd64=1:2.0-1"])
        assert deb.name == "small_1%3a2.0-1_all.deb"
        assert place.day == ""
        folder = place.folder
    assert not folder.exists()


def test_a_package_of_other_bytes_is_not_taken(mirror: Mirror) -> None:
    mirror.add("small", "1.0")
    mirror.publish()
    deb = mirror.folder / "debian/pool/small_1.0_all.deb"
    deb.write_bytes(deb.read_bytes()[:-1] + b"!")
    with opened(SUITE, mirror.knobs) as place, pytest.raises(NotKnownError) as caught:
        place.download(["small:amd64=1.0"])
    assert "Hash Sum mismatch" in caught.value.why


def test_an_index_that_nobody_signed_is_not_taken(mirror: Mirror) -> None:
    mirror.publish()
    release = mirror.folder / f"debian/dists/{SUITE}/InRelease"
    release.write_text(release.read_text().replace("Origin: Debian", "Origin: debian"))
    error = problem(mirror)
    start, _, words = error.why.partition(f": {mirror.address}/debian {SUITE} InRelease: ")
    # apt 3.1 and 3.0 with sqv, apt 2 with gpgv
    manipulated = "Verifying signature: Message has been manipulated"
    assert (start, re.sub("[0-9A-F]{16}", "KEY", words)) in (
        ("Signature verification failed", manipulated),
        ("OpenPGP signature verification failed", manipulated),
        ("GPG error", "The following signatures were invalid: BADSIG KEY test@example.org"),
    )
    assert error.tip == UNSIGNED_TIP


def test_a_release_without_packages_is_not_taken_for_one_without_updates(mirror: Mirror) -> None:
    mirror.publish()
    assert why(mirror) == "the mirror has no index of trixie for amd64"


def test_an_index_of_other_bytes_than_were_signed_is_not_taken(mirror: Mirror) -> None:
    mirror.add("small", "1.0")
    mirror.publish()
    packages = mirror.folder / f"debian/dists/{SUITE}/main/binary-amd64/Packages"
    packages.write_text("Package: evil\n")
    assert "File has unexpected size" in why(mirror)


@pytest.mark.parametrize("place", ["", "main/binary-amd64"])
def test_an_index_without_an_end_is_not_read_to_its_end(mirror: Mirror, place: str) -> None:
    """apt bounds the release's own file, and the others by the sizes that it names."""
    mirror.add("small", "1.0")
    mirror.publish()
    (mirror.folder / f"debian/dists/{SUITE}" / place / "endless").touch()
    assert f"http://127.0.0.1:{mirror.server.server_address[1]}/debian" in why(mirror)
    assert 0 < mirror.server.endless < 64_000_000


@pytest.mark.parametrize("part", ["debian/dists/trixie-updates", "debian-security/dists"])
def test_a_part_that_is_missing_is_no_warning(mirror: Mirror, part: str) -> None:
    mirror.publish()
    (mirror.folder / part).rename(mirror.folder / "gone")
    assert "does not have a Release file" in why(mirror) or "404" in why(mirror)


def test_a_mirror_that_is_not_there_is_named_without_its_login(mirror: Mirror) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    at = f"127.0.0.1:{port}"
    error = problem(mirror, APT_MIRROR=f"http://me:hunter2@{at}/debian")
    failed = f"Failed to fetch http://{at}/debian/dists/{SUITE}/InRelease"
    assert error.why in (
        f"{failed} Could not connect to {at} (127.0.0.1). - connect (111: Connection refused)",
        f"{failed} Unable to connect to {at}",
    )
    assert error.tip == TIP


def test_a_mirror_that_says_nothing_is_waited_for_only_so_long(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "WHOLE_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        said = why(mirror, APT_MIRROR=f"http://127.0.0.1:{port}/debian")
    assert said == "apt-get: no answer in 1 s"


def test_without_debian_s_keys_nothing_is_known(mirror: Mirror, tmp_path: Path) -> None:
    assert why(mirror, KEYRING=f"{tmp_path}/none") == (
        f'no keys of Debian\'s archive "{tmp_path}/none"'
    )


def test_without_apt_nothing_is_known(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    # a machine without apt has no keys of Debian either
    with pytest.raises(NotHereError) as caught, opened(SUITE, {**mirror.knobs, "KEYRING": "/none"}):
        pass
    assert (caught.value.message, caught.value.tip) == (
        "debian: not run here: no apt-get",
        "run it on Debian or Ubuntu, or in a container of it",
    )


@pytest.mark.parametrize("address", ["ftp://x/debian", "file:///debian", "http://x/a b", "deb x"])
def test_an_address_of_another_kind_is_refused(mirror: Mirror, address: str) -> None:
    with (
        pytest.raises(SutraError) as caught,
        opened(SUITE, {**mirror.knobs, "APT_MIRROR": address}),
    ):
        pass
    assert caught.value.message == "APT_MIRROR: not an address of http or https"


@pytest.mark.parametrize(
    "suite", ["", "../x", "trixie main", "trixie\ndeb http://x y main", "Trixie", "x" * 41]
)
def test_a_release_of_another_form_is_refused(mirror: Mirror, suite: str) -> None:
    """It becomes a line of apt's sources."""
    with pytest.raises(SutraError) as caught, opened(suite, mirror.knobs):
        pass
    shown = suite.replace("\n", "\N{REPLACEMENT CHARACTER}")
    assert caught.value.message == f'DEBIAN_VERSION: not a release of Debian "{shown}"'
    assert caught.value.tip == "DEBIAN_VERSION=trixie-slim"


def test_a_day_of_the_snapshots_has_its_own_place_for_security() -> None:
    mirror = "http://snapshot.debian.org/archive/debian/20260101T000000Z"
    lines = archive._sources(mirror, SUITE, "/k").splitlines()
    assert lines[0] == f"deb [signed-by=/k target=Packages] {mirror} trixie main"
    assert lines[2] == (
        "deb [signed-by=/k target=Packages] http://snapshot.debian.org/archive/"
        "debian-security/20260101T000000Z trixie-security main"
    )
    assert "Acquire::Check-Valid-Until=false" in archive._options(Path("/x"), mirror, "")
    assert "Acquire::Check-Valid-Until=false" not in archive._options(Path("/x"), "http://x", "")


def test_a_private_certificate_is_trusted() -> None:
    assert "Acquire::https::CaInfo=/ca.pem" in archive._options(Path("/x"), "https://x", "/ca.pem")


@pytest.mark.parametrize(
    ("version", "suite"), [("trixie-slim", "trixie"), ("bookworm", "bookworm"), ("", "trixie")]
)
def test_the_release_of_a_tag(version: str, suite: str) -> None:
    assert archive.suite_of({"DEBIAN_VERSION": version}) == suite
