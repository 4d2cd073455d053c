from __future__ import annotations

import pytest

from scripts.image.package_records import DPKG, Package, apk, dpkg

STATUS = """\
Package: libc6
Status: install ok installed
Version: 2.41-12
Description: C library
 Package: not-one
 .

Package: gone
Status: deinstall ok config-files
Version: 1

Package: zlib1g
Version:  1:1.3.dfsg
"""
APK = """\
C:Q1abc=
P:musl
V:1.2.5-r9
L:MIT
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755
Z:Q1kRJZ
F:usr/lib
R:name with space 
F:
R:top

P:bare
L:
"""


def test_the_packages_of_dpkg() -> None:
    assert list(dpkg(STATUS)) == [
        Package("libc6", "2.41-12"),
        Package("gone", "1", is_installed=False),
        Package("zlib1g", "1:1.3.dfsg"),
    ]


def test_the_packages_of_apk() -> None:
    files = {"lib/ld-musl-x86_64.so.1": "Q1kRJZ", "usr/lib/name with space ": "", "top": ""}
    assert list(apk(APK)) == [Package("musl", "1.2.5-r9", "MIT", files=files), Package("bare")]


def test_a_second_name_hides_no_first() -> None:
    assert [package.name for package in dpkg("Package: gcc\nPackage: libc6\n")] == ["gcc", "libc6"]
    assert [package.name for package in apk("P:gcc\nP:musl\nL:MIT\n")] == ["gcc", "musl"]


@pytest.mark.parametrize("text", ["", "\n\n", "no colon", " Package: x", "Package:\n", "\0" * 9])
def test_what_names_no_package(text: str) -> None:
    assert list(dpkg(text)) == []


@pytest.mark.parametrize("text", ["", "R:file\nZ:Q1x\n", "P:\nL:MIT\n", " P:x"])
def test_what_names_no_package_of_apk(text: str) -> None:
    assert list(apk(text)) == []


@pytest.mark.parametrize(
    ("path", "is_database"),
    [
        ("var/lib/dpkg/status", True),
        ("var/lib/dpkg/status.d/libc6", True),
        ("var/lib/dpkg/status.d/libc6.md5sums", False),
        ("var/lib/dpkg/status.d/a/b", False),
        ("usr/var/lib/dpkg/status", False),
    ],
)
def test_where_dpkg_keeps_its_database(path: str, is_database: bool) -> None:
    assert bool(DPKG.fullmatch(path)) is is_database
