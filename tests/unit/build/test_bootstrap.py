from __future__ import annotations

import os
import resource
import shutil
from pathlib import Path

import pytest

from scripts.build import bootstrap
from scripts.common.errors import SutraError
from scripts.engine import emulator
from tests.unit.build.roots import END, IMAGE, LAYER, START, unfold
from tests.unit.fakes import program


def words(folder: Path) -> list[str]:
    """Return the words that mmdebstrap got, the name of the temporary folder taken out."""
    lines = (folder / "words").read_text().splitlines()
    return ["root.tar" if line.endswith("/root.tar") else line for line in lines]


COMMON = [
    "--variant=minbase",
    "--format=tar",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/info/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/lintian/*",
    "trixie",
    "root.tar",
]


def test_a_bootstrap_leaves_a_whole_layout(
    debootstrap: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    layout = debootstrap / "cache" / "roots" / "debian-trixie-slim"
    bootstrap.bootstrap(IMAGE, layout, {})
    assert unfold(layout)[2] == LAYER
    assert os.listdir(layout.parent) == ["debian-trixie-slim"]
    assert words(debootstrap) == COMMON
    assert capfd.readouterr() == ("", START + END)


def test_a_root_of_another_platform_is_made_where_its_programs_run(
    debootstrap: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator, "runs", lambda architecture: architecture == "arm64")
    monkeypatch.setattr(emulator, "runs_in_containers", lambda architecture: True)
    layout = debootstrap / "roots" / "debian-trixie-slim-arm64"
    bootstrap.bootstrap(IMAGE, layout, {}, "arm64")
    assert unfold(layout)[1]["architecture"] == "arm64"
    assert words(debootstrap) == [
        *COMMON[:-2],
        "--architectures=arm64",
        "--skip=check/qemu",
        *COMMON[-2:],
    ]
    shown = f"{IMAGE} (linux/arm64)"
    assert capfd.readouterr() == ("", (START + END).replace(IMAGE, shown))


def test_without_an_emulator_no_root_is_begun(
    debootstrap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator, "runs", lambda architecture: False)
    layout = debootstrap / "roots" / "debian-trixie-slim-arm64"
    with pytest.raises(SutraError) as caught:
        bootstrap.bootstrap(IMAGE, layout, {}, "arm64")
    assert caught.value.message == 'PLATFORMS: no emulator for "linux/arm64"'
    assert not (debootstrap / "words").exists()
    assert not layout.parent.exists()


@pytest.mark.parametrize("mirror", ["http://mirror.test/debian", "http://mirror.test/debian/"])
def test_a_mirror_is_passed_on_as_three_suites(debootstrap: Path, mirror: str) -> None:
    bootstrap.bootstrap(IMAGE, debootstrap / "layout", {"APT_MIRROR": mirror})
    assert words(debootstrap) == [
        *COMMON,
        "deb http://mirror.test/debian trixie main",
        "deb http://mirror.test/debian trixie-updates main",
        "deb http://mirror.test/debian-security trixie-security main",
    ]


@pytest.mark.parametrize("end", ["", "/"])
def test_a_day_of_debian_is_a_mirror_too(debootstrap: Path, end: str) -> None:
    day = "http://snapshot.test/archive/debian/20260101T000000Z"
    bootstrap.bootstrap(IMAGE, debootstrap / "layout", {"APT_MIRROR": day + end})
    assert words(debootstrap) == [
        *COMMON[:-2],
        '--aptopt=Acquire::Check-Valid-Until "false"',
        *COMMON[-2:],
        f"deb {day} trixie main",
        f"deb {day} trixie-updates main",
        "deb http://snapshot.test/archive/debian-security/20260101T000000Z trixie-security main",
    ]


def test_the_mirror_comes_from_the_environment(
    debootstrap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APT_MIRROR", "http://env.test/debian")
    bootstrap.bootstrap(IMAGE, debootstrap / "layout")
    assert words(debootstrap)[-3] == "deb http://env.test/debian trixie main"


@pytest.mark.parametrize("path", ["ca.pem", "{folder}/ca.pem", "{folder}/more/../ca.pem"])
def test_a_bundle_is_passed_on_by_its_absolute_path(
    debootstrap: Path, folder: Path, path: str
) -> None:
    bundle = path.format(folder=folder)
    bootstrap.bootstrap(IMAGE, debootstrap / "layout", {"CA_BUNDLE": bundle})
    assert words(debootstrap) == [
        *COMMON[:-2],
        f'--aptopt=Acquire::https::CaInfo "{folder}/ca.pem"',
        *COMMON[-2:],
    ]


def test_a_bundle_and_a_mirror_go_together(debootstrap: Path) -> None:
    knobs = {"CA_BUNDLE": "/certificates/ca.pem", "APT_MIRROR": "https://mirror.test/debian"}
    bootstrap.bootstrap(IMAGE, debootstrap / "layout", knobs)
    assert words(debootstrap) == [
        *COMMON[:-2],
        '--aptopt=Acquire::https::CaInfo "/certificates/ca.pem"',
        *COMMON[-2:],
        "deb https://mirror.test/debian trixie main",
        "deb https://mirror.test/debian trixie-updates main",
        "deb https://mirror.test/debian-security trixie-security main",
    ]


@pytest.mark.parametrize("knob", ["CA_BUNDLE", "APT_MIRROR"])
def test_an_empty_knob_counts_as_unset(debootstrap: Path, knob: str) -> None:
    bootstrap.bootstrap(IMAGE, debootstrap / "layout", {knob: ""})
    assert words(debootstrap) == COMMON


def test_a_new_bootstrap_replaces_the_old_one(debootstrap: Path) -> None:
    layout = debootstrap / "roots" / "debian-trixie-slim"
    layout.mkdir(parents=True)
    (layout / "old").touch()
    bootstrap.bootstrap(IMAGE, layout, {})
    assert unfold(layout)[2] == LAYER
    assert not (layout / "old").exists()


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (
            "I: starting\nE: cannot fetch InRelease\nE: another\n",
            "cannot fetch InRelease",
        ),
        ("W: old\nErr:1 http://x trixie InRelease\n", "Err:1 http://x trixie InRelease"),
        ("tar: x: No space left on device\nE: tar failed\n", "tar: x: No space left on device"),
        ("  perl: not found\nmore\n", "perl: not found"),
        ("", "no output"),
    ],
)
def test_a_failed_bootstrap_leaves_nothing(
    debootstrap: Path, capfd: pytest.CaptureFixture[str], output: str, reason: str
) -> None:
    (debootstrap / "output").write_text(output)
    program(debootstrap / "bin", "mmdebstrap", f"cat {debootstrap}/output >&2; exit 1")
    layout = debootstrap / "roots" / "debian-trixie-slim"
    with pytest.raises(SutraError) as caught:
        bootstrap.bootstrap(IMAGE, layout, {})
    assert caught.value.message == f'roots: bootstrap of "trixie" failed: {reason}'
    assert caught.value.tip == (
        "check the network, APT_MIRROR and `df -h`, then run `make roots` again"
    )
    assert os.listdir(layout.parent) == []
    assert capfd.readouterr() == ("", START + output)


def test_a_bootstrap_that_ends_its_whole_process_group_ends_no_other(debootstrap: Path) -> None:
    program(debootstrap / "bin", "mmdebstrap", "echo 'E: unable to chroot' >&2; kill -TERM 0")
    with pytest.raises(SutraError) as caught:
        bootstrap.bootstrap(IMAGE, debootstrap / "layout", {})
    assert caught.value.message == 'roots: bootstrap of "trixie" failed: unable to chroot'


def test_a_failed_refresh_keeps_the_root_of_before(debootstrap: Path) -> None:
    layout = debootstrap / "roots" / "debian-trixie-slim"
    bootstrap.bootstrap(IMAGE, layout, {})
    program(debootstrap / "bin", "mmdebstrap", "exit 1")
    with pytest.raises(SutraError):
        bootstrap.bootstrap(IMAGE, layout, {})
    assert unfold(layout)[2] == LAYER
    assert os.listdir(layout.parent) == ["debian-trixie-slim"]


def test_a_full_disk_leaves_nothing(debootstrap: Path, capfd: pytest.CaptureFixture[str]) -> None:
    layout = debootstrap / "roots" / "debian-trixie-slim"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(SutraError) as caught:
            bootstrap.bootstrap(IMAGE, layout, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.message == f'roots: cannot write "{layout}": File too large'
    assert caught.value.tip == "free some space (`df -h .`), then run `make roots` again"
    assert os.listdir(layout.parent) == []
    assert capfd.readouterr() == ("", START)


@pytest.mark.parametrize("image", ["alpine:3.23", "fedora:40"])
def test_only_debian_is_bootstrapped(tmp_path: Path, image: str) -> None:
    with pytest.raises(SutraError) as caught:
        bootstrap.bootstrap(image, tmp_path / "roots" / "layout", {})
    assert caught.value.message == (f'roots: cannot bootstrap "{image}", and no registry serves it')
    assert caught.value.tip == f"`docker load` an archive of {image}, or build with BASE=debian"
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_for_temporary_files(debootstrap: Path) -> None:
    with pytest.raises(SutraError) as caught:
        bootstrap.bootstrap(IMAGE, debootstrap / "layout", {"TMPDIR": "/nothing"})
    assert caught.value.message == 'roots: TMPDIR: No such file or directory "/nothing"'
    assert caught.value.tip == "name another folder: `TMPDIR=/var/tmp make prod`"


@pytest.mark.parametrize(
    ("flags", "missing", "message", "tip"),
    [
        (os.ST_NOEXEC, 0, 'TMPDIR: mounted noexec "/t"', ""),
        (0, 1, 'TMPDIR: 600 MB free in "/t", 600 MB needed', "free some space there, or "),
    ],
)
def test_temporary_files_that_mmdebstrap_cannot_make(
    debootstrap: Path,
    monkeypatch: pytest.MonkeyPatch,
    flags: int,
    missing: int,
    message: str,
    tip: str,
) -> None:
    free = bootstrap.UNPACKED_BYTES - missing
    system = os.statvfs_result((1, 1, free, free, free, 1, 1, 1, flags, 255))
    monkeypatch.setattr(os, "statvfs", lambda folder: system)
    with pytest.raises(SutraError) as caught:
        bootstrap.bootstrap(IMAGE, debootstrap / "layout", {"TMPDIR": "/t"})
    assert caught.value.message == f"roots: {message}"
    assert caught.value.tip == f"{tip}name another folder: `TMPDIR=/var/tmp make prod`"
    assert not (debootstrap / "words").exists()


def test_just_enough_space_is_enough(debootstrap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = bootstrap.UNPACKED_BYTES
    system = os.statvfs_result((1, 1, free, free, free, 1, 1, 1, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda folder: system)
    bootstrap.bootstrap(IMAGE, debootstrap / "layout", {"TMPDIR": "/t"})
    assert words(debootstrap) == COMMON


def test_without_mmdebstrap_it_is_installed(
    debootstrap: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (debootstrap / "bin" / "mmdebstrap").rename(debootstrap / "packaged")
    (debootstrap / "bin" / "gzip").symlink_to(shutil.which("gzip") or "")
    monkeypatch.setenv("PATH", f"{debootstrap}/bin")
    program(
        folder / "scripts",
        "install.sh",
        f'echo "$@" > {folder}/asked\n'
        f"/bin/sed 's/cp /\\/bin\\/cp /' {folder}/packaged > {folder}/bin/mmdebstrap\n"
        f"/bin/chmod +x {folder}/bin/mmdebstrap\n",
    )
    bootstrap.bootstrap(IMAGE, folder / "layout", {})
    assert (folder / "asked").read_text() == "mmdebstrap debian-archive-keyring uidmap\n"
    assert unfold(folder / "layout")[2] == LAYER


def test_a_failed_installation_of_mmdebstrap_is_reported(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    program(folder / "scripts", "install.sh", "exit 1")
    with pytest.raises(SutraError) as caught:
        bootstrap.bootstrap(IMAGE, folder / "layout", {})
    assert caught.value.message == ("roots: no registry answers, and mmdebstrap is not installed")
    assert caught.value.tip == "install the package mmdebstrap, then run `make roots`"
    assert not (folder / "layout").exists()
