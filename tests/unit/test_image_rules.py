"""The rules that image tests use fail for what they are meant to find."""

from __future__ import annotations

import tarfile

import pytest

from tests.support import rules


@pytest.mark.parametrize("path", ["usr/bin/bash", "bin/sh", "usr/bin/gcc-14", "opt/bin/pip3.13"])
def test_a_tool_is_found(path: str) -> None:
    assert rules.tools([path]) == [path]


@pytest.mark.parametrize("path", ["usr/bin/python3.13", "usr/lib/x86_64-linux-gnu/sh"])
def test_what_is_no_tool_is_not(path: str) -> None:
    assert rules.tools([path]) == []


@pytest.mark.parametrize(
    "path",
    [
        "usr/include/stdio.h",
        "opt/sutra/lib/python3.13/site-packages/numpy/core.pyi",
        "opt/sutra/lib/python3.13/site-packages/scipy/linalg/tests/test_basic.pyc",
        "opt/sutra/lib/python3.13/site-packages/numpy/_core/tests/test_umath.pyc",
        "opt/sutra/lib/python3.13/site-packages/pip/__init__.pyc",
        "opt/sutra/lib/python3.13/site-packages/x-1.dist-info/direct_url.json",
        "usr/lib/libm.a",
        "usr/share/doc/libc6/changelog.gz",
        "var/lib/apt/lists/partial",
    ],
)
def test_a_leftover_is_found(path: str) -> None:
    assert rules.leftovers([path]) == [path]


@pytest.mark.parametrize(
    "path",
    [
        "opt/sutra/lib/python3.13/site-packages/numpy/_core/tests/_natype.pyc",
        "opt/sutra/lib/python3.13/site-packages/numpy/testing/__init__.pyc",
        "usr/share/doc/libc6/copyright",
    ],
)
def test_what_is_needed_is_no_leftover(path: str) -> None:
    assert rules.leftovers([path]) == []


@pytest.mark.parametrize(
    ("path", "kind", "mode"),
    [
        ("usr/bin/su", tarfile.REGTYPE, 0o4755),
        ("usr/bin/wall", tarfile.REGTYPE, 0o2755),
        ("app/open", tarfile.REGTYPE, 0o666),
        ("app/open", tarfile.DIRTYPE, 0o777),
        ("app/null", tarfile.CHRTYPE, 0o644),
    ],
)
def test_an_unsafe_entry_is_found(path: str, kind: bytes, mode: int) -> None:
    assert rules.unsafe({path: _entry(path, kind, mode)}) == [path]


@pytest.mark.parametrize(
    ("path", "kind", "mode"),
    [
        ("tmp", tarfile.DIRTYPE, 0o1777),
        ("usr/bin/python3", tarfile.SYMTYPE, 0o777),
        ("usr/bin/python3.13", tarfile.REGTYPE, 0o755),
        ("dev/console", tarfile.CHRTYPE, 0o600),
    ],
)
def test_a_usual_entry_is_not_unsafe(path: str, kind: bytes, mode: int) -> None:
    assert rules.unsafe({path: _entry(path, kind, mode)}) == []


def _entry(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.type, entry.mode = kind, mode
    return entry
