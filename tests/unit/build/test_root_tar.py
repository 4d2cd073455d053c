"""A root in one form: whatever machine, mirror and version of mmdebstrap made its tar."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts.build import bootstrap, root_layout, root_tar
from scripts.common.errors import SutraError
from tests.unit.build.roots import IMAGE, plain
from tests.unit.fakes import program

# a member: its bytes, the target of its link, or None for a folder
Members = Mapping[str, bytes | str | None]
PACKAGES: Members = {
    "./": None,
    "./bin": "usr/bin",
    "./etc/": None,
    "./etc/apt/": None,
    "./etc/apt/sources.list": b"deb http://deb.debian.org/debian trixie main\n",
    "./etc/os-release": b"ID=debian\n",
    "./usr/": None,
    "./usr/bin/": None,
    "./usr/bin/perl": b"#!",
    "./usr/bin/perl5.40": "hard:./usr/bin/perl",
    "./var/lib/dpkg/status": b"Package: perl\n",
}
# files that the machine leaves beside those of the packages
MACHINE: Members = {
    "./dev/console": b"",
    "./etc/.pwd.lock": b"",
    "./etc/apt/apt.conf.d/99mmdebstrap": b'Acquire::https::CaInfo "/here/ca.pem";\n',
    "./etc/apt/sources.list.d/0000mirror.sources": b"URIs: http://mirror.test/debian\n",
    "./etc/hostname": b"here\n",
    "./etc/machine-id": b"uninitialized\n",
    "./etc/passwd-": b"root",
    "./etc/resolv.conf": b"nameserver 192.0.2.1\n",
    "./run/x.pid": b"1",
    "./tmp/x": b"1",
    "./var/cache/apt/pkgcache.bin": b"1",
    "./var/cache/debconf/config.dat-old": b"1",
    "./var/cache/ldconfig/aux-cache": b"1",
    "./var/lib/apt/lists/lock": b"",
    "./var/lib/dpkg/lock": b"",
    "./var/lib/dpkg/status-old": b"Package: before\n",
    "./var/log/dpkg.log": b"2026-01-01 installed",
}


def tar(
    members: Members, form: int = tarfile.GNU_FORMAT, mtime: float = 0, owner: str = ""
) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=form) as archive:
        for name, what in members.items():
            member = tarfile.TarInfo(name.rstrip("/"))
            member.mtime, member.uname = mtime, owner
            if what is None:
                member.type, member.mode = tarfile.DIRTYPE, 0o755
            elif isinstance(what, str):
                hard = what.startswith("hard:")
                member.type = tarfile.LNKTYPE if hard else tarfile.SYMTYPE
                member.linkname = what.removeprefix("hard:")
            else:
                member.size = len(what)
            archive.addfile(member, io.BytesIO(what) if isinstance(what, bytes) else None)
    return sink.getvalue()


def entries(layer: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        return {member.name: member for member in archive}


def test_only_what_packages_brought_and_debian_s_own_sources_are_left() -> None:
    layer = plain(tar({**PACKAGES, **MACHINE}))
    assert layer == plain(tar(PACKAGES))
    assert list(entries(layer)) == [name[2:].rstrip("/") for name in sorted(PACKAGES) if name[2:]]
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        content = archive.extractfile("etc/apt/sources.list")
        assert content
        assert content.read().decode().splitlines() == bootstrap.sources("trixie")


@pytest.mark.parametrize(
    "other",
    [
        tar(dict(reversed(list(PACKAGES.items())))),
        tar(PACKAGES, tarfile.PAX_FORMAT, mtime=1.5, owner="root"),
        tar({name[2:]: what for name, what in PACKAGES.items() if name[2:]}),
        tar({**PACKAGES, "./etc/apt/sources.list": b"deb http://mirror.test/debian trixie main\n"}),
        tar({**PACKAGES, "./usr/bin/perl": "hard:usr/bin/perl5.40", "./usr/bin/perl5.40": b"#!"}),
    ],
    ids=["order", "format", "names", "mirror", "which name is the link"],
)
def test_another_version_or_machine_gives_the_same_bytes(other: bytes) -> None:
    assert plain(other) == plain(tar(PACKAGES))


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("./usr/bin/perl", b"#?"),
        ("./usr/bin/new", b""),
        ("./bin", "usr/sbin"),
        ("./var/lib/dpkg/status", b"Package: perl\nVersion: 2\n"),
    ],
)
def test_another_package_gives_other_bytes(path: str, what: bytes | str) -> None:
    assert plain(tar({**PACKAGES, path: what})) != plain(tar(PACKAGES))


def test_modes_owners_and_capabilities_stay(tmp_path: Path) -> None:
    member = tarfile.TarInfo("./usr/bin/ping")
    member.mode, member.uid, member.gid = 0o4755, 7, 8
    member.pax_headers = {"SCHILY.xattr.security.capability": "\1", "atime": "1.5"}
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(member)
    ping = entries(plain(sink.getvalue()))["usr/bin/ping"]
    assert (ping.mode, ping.uid, ping.gid) == (0o4755, 7, 8)
    assert ping.pax_headers == {"SCHILY.xattr.security.capability": "\1"}
    assert ping.mtime == root_tar.STAMP.timestamp()


def test_a_file_with_two_names_keeps_its_bytes_under_the_first() -> None:
    names: Members = {"./c": b"text", "./b": "hard:./c", "./d": "hard:./c"}
    listed = entries(plain(tar(names)))
    assert (listed["b"].type, listed["b"].size) == (tarfile.REGTYPE, 4)
    assert [(listed[name].type, listed[name].linkname) for name in "cd"] == [
        (tarfile.LNKTYPE, "b"),
        (tarfile.LNKTYPE, "b"),
    ]


def test_a_rolling_release_has_no_updates() -> None:
    assert bootstrap.sources("sid") == ["deb http://deb.debian.org/debian sid main"]
    assert [line.split()[2] for line in bootstrap.sources("trixie")] == [
        "trixie",
        "trixie-updates",
        "trixie-security",
    ]


@pytest.mark.parametrize("damage", [b"", b"no tar", os.urandom(2000)])
def test_a_damaged_tar_is_one_line_and_leaves_nothing(debootstrap: Path, damage: bytes) -> None:
    (debootstrap / "sample.tar").write_bytes(damage)
    layout = debootstrap / "roots" / "debian-trixie-slim"
    with pytest.raises(SutraError) as caught:
        bootstrap.bootstrap(IMAGE, layout, {})
    assert caught.value.message.startswith('roots: bootstrap of "trixie" failed: ')
    assert "\n" not in caught.value.message
    assert caught.value.tip == bootstrap.AGAIN
    assert os.listdir(layout.parent) == []


def test_a_packer_that_fails_leaves_nothing(debootstrap: Path) -> None:
    program(debootstrap / "bin", "gzip", "exit 3")
    layout = debootstrap / "roots" / "debian-trixie-slim"
    with pytest.raises(SutraError) as caught:
        bootstrap.bootstrap(IMAGE, layout, {})
    assert caught.value.message == (f'roots: cannot write "{layout}": gzip ended with exit code 3')
    assert os.listdir(layout.parent) == []


def test_a_machine_without_gzip(debootstrap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(root_layout, "PACK", ("sutra-no-such-packer",))
    layout = debootstrap / "roots" / "debian-trixie-slim"
    with pytest.raises(SutraError) as caught:
        bootstrap.bootstrap(IMAGE, layout, {})
    assert caught.value.message == (
        f'roots: cannot write "{layout}": sutra-no-such-packer is not installed'
    )
