from __future__ import annotations

import os
from pathlib import Path

import pytest

from scripts.common.errors import SutraError
from scripts.debian import versions
from tests.unit.fakes import program


@pytest.mark.parametrize(
    ("higher", "lower"),
    [
        ("1.10", "1.9"),
        ("1.0", "1.0~rc1"),
        ("1:0.1", "9.9"),
        ("2.41-12+deb13u1", "2.41-12"),
        ("3.5.4-1~deb13u2", "3.5.4-1~deb13u1"),
        ("3.5.4-1", "3.5.4-1~deb13u1"),
    ],
)
def test_the_order_is_debian_s(higher: str, lower: str) -> None:
    assert versions.is_newer(higher, lower)
    assert not versions.is_newer(lower, higher)
    assert versions.newest([lower, higher, lower]) == higher


def test_equal_versions_are_not_newer() -> None:
    assert not versions.is_newer("1.0", "1.0")
    assert not versions.is_newer("0:1.0", "1.0")
    assert versions.newest([]) == ""


@pytest.mark.parametrize("version", ["", "one", "-1", "1.0 ", "1.0;id", "1.0\n", "1" * 300])
def test_what_is_no_version_is_one_line(version: str) -> None:
    with pytest.raises(SutraError) as caught:
        versions.is_newer(version, "1.0")
    assert "\n" not in caught.value.message
    assert caught.value.message.startswith("debian: not a version ")


def test_without_dpkg_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SutraError) as caught:
        versions.is_newer("1.0-dpkg", "1.0")
    assert caught.value.message == "debian: dpkg: No such file or directory"


def test_a_dpkg_that_fails_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "dpkg", "exit 2")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(SutraError) as caught:
        versions.is_newer("1.0-broken", "1.0")
    assert caught.value.message == (
        'debian: dpkg cannot compare "1.0-broken" with "1.0": exit code 2'
    )
    assert caught.value.tip == "`dpkg --compare-versions 1.0-broken gt 1.0` says why"


def test_a_rebuilt_package_has_its_source_s_version() -> None:
    assert versions.of_source("1.0-1+b12") == "1.0-1"
    assert versions.of_source("1.0-1+deb13u1") == "1.0-1+deb13u1"
