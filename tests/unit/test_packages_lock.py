"""packages.lock: the packages of a production base, and the error of a build that gets others."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.unit.fakes import program

SCRIPT = ROOT / "base-images/lib/packages-lock.sh"
LOCK = ROOT / "base-images/packages.lock"
LINE = re.compile(r"[a-z0-9][a-z0-9.+-]+ \S+ (amd64|arm64|all) [0-9a-f]{64}")
NEW_LOCK = "tip: `make update ONLY=debian` writes it anew\n"


def test_the_lock_has_every_package_of_every_slice_for_both_architectures() -> None:
    lines = [line for line in LOCK.read_text().splitlines() if not line.startswith("#")]
    assert all(LINE.fullmatch(line) for line in lines)
    assert lines == sorted(lines)
    locked = {(line.split()[0], line.split()[2]) for line in lines}
    named: set[str] = set()
    for dockerfile in ROOT.glob("base-images/*-prod.Dockerfile"):
        slices = re.findall(r"slice\.sh /rootfs \\\n((?: +\S+(?: \\)?\n)+)", dockerfile.read_text())
        assert len(slices) == 1
        named |= {word for word in slices[0].split() if word != "\\"}
    assert {name for name, _ in locked} == named
    for name in named:
        machines = {machine for other, machine in locked if other == name}
        assert machines in ({"amd64", "arm64"}, {"all"}), name


@pytest.fixture
def deb(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package in the working folder and its lock; returns the package's SHA-256."""
    control = folder / "small/DEBIAN/control"
    control.parent.mkdir(parents=True)
    control.write_text(
        "Package: small\nVersion: 1:2.0-1\nArchitecture: all\nMaintainer: A\nDescription: a\n"
    )
    command = ["dpkg-deb", "--build", "--root-owner-group", "small", "small.deb"]
    subprocess.run(command, check=True, capture_output=True)
    digest = hashlib.sha256(Path("small.deb").read_bytes()).hexdigest()
    lock(f"small 1:2.0-1 all {digest}")
    program(folder / "bin", "apt-cache", "echo ' small | 1:2.0-2 | http://mirror trixie/main'\n")
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")
    return digest


def lock(line: str) -> None:
    Path("packages.lock").write_text(f"# suite: trixie\n{line}\n")


def run(verb: str, *words: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        ["sh", SCRIPT, verb, "packages.lock", *words],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout + done.stderr


def test_what_is_asked_for_has_its_locked_version(deb: str) -> None:
    assert run("words", "small") == (0, "small=1:2.0-1\n")
    assert run("check", "small.deb") == (0, "")


def test_a_package_that_the_lock_has_not(deb: str) -> None:
    machine = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    ).stdout.strip()
    problem = f'sutra: packages.lock: no "other" for {machine}\n{NEW_LOCK}'
    assert run("words", "small", "other") == (1, f"small=1:2.0-1\n{problem}")


def test_the_lock_has_lines_of_each_architecture(deb: str) -> None:
    lock(f"small 1:2.0-1 amd64 {deb}\nsmall 1:2.0-2 arm64 {deb}")
    for architecture, version in (("amd64", "1:2.0-1"), ("arm64", "1:2.0-2")):
        assert run("words", "small", TARGETARCH=architecture) == (0, f"small={version}\n")
    problem = f'sutra: packages.lock: no "small" for riscv64\n{NEW_LOCK}'
    assert run("words", "small", TARGETARCH="riscv64") == (1, problem)


def test_another_version_than_is_locked(deb: str) -> None:
    lock(f"small 1:2.0-0 all {deb}")
    problem = 'sutra: packages.lock: "small" is 1:2.0-1, locked is 1:2.0-0\n'
    assert run("check", "small.deb") == (1, problem + NEW_LOCK)


def test_other_bytes_than_are_locked(deb: str) -> None:
    lock(f"small 1:2.0-1 all {'0' * 64}")
    assert run("check", "small.deb") == (
        1,
        f'sutra: packages.lock: "small" 1:2.0-1 has another SHA-256 than is locked: {deb}\n'
        "tip: the mirror changed a package, or the lock was edited: compare both with "
        "https://snapshot.debian.org\n",
    )


@pytest.mark.parametrize("day", ["20260304T000000Z", ""])
def test_a_version_that_is_gone_from_the_mirror(deb: str, day: str) -> None:
    """The lock names a day whose snapshot has its packages; an older lock names none."""
    if day:
        lock(f"small 1:2.0-1 all {deb}\n# day: {day}")
    assert run("explain", "small") == (
        1,
        'sutra: packages.lock: "small" 1:2.0-1 is no longer on the mirror, which has 1:2.0-2\n'
        "tip: `make update ONLY=debian` takes what is there; APT_MIRROR="
        f"http://snapshot.debian.org/archive/debian/{day or '20260101T000000Z'} "
        "has the packages of that day\n",
    )


def test_a_mirror_that_does_not_answer_has_not_lost_a_version(deb: str, folder: Path) -> None:
    program(folder / "bin", "apt-cache", "echo 'W: no lists' >&2\n")
    assert run("explain", "small") == (
        1,
        'W: no lists\nsutra: packages.lock: no index of the mirror names "small"\n'
        "tip: the mirror does not answer, or lacks this release: APT_MIRROR=… names another one\n",
    )


def test_a_failure_of_something_else_is_not_explained_by_the_lock(deb: str) -> None:
    lock(f"small 1:2.0-2 all {deb}")
    assert run("explain", "small") == (0, "")


# ---- builders.lock: dependencies too, chosen by apt ------------------------


def test_apt_is_held_to_the_versions_of_this_machine(deb: str) -> None:
    machine = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    ).stdout.strip()
    lines = [f"small 1:2.0-1 all {deb}", f"own 1.0 {machine} {deb}", f"other 1.0 s390x {deb}"]
    lock("\n".join(lines))
    assert run("pins") == (
        0,
        "Package: small\nPin: version 1:2.0-1\nPin-Priority: 1001\n\n"
        "Package: own\nPin: version 1.0\nPin-Priority: 1001\n\n",
    )


def test_apt_is_held_to_the_versions_of_an_architecture_beside_its_own(deb: str) -> None:
    lines = [f"small 1:2.0-1 all {deb}", f"own 1.0 amd64 {deb}", f"own 1.1 arm64 {deb}"]
    lock("\n".join(lines))
    assert run("pins", SUTRA_CROSS="arm64") == (
        0,
        "Package: small\nPin: version 1:2.0-1\nPin-Priority: 1001\n\n"
        "Package: own:arm64\nPin: version 1.1\nPin-Priority: 1001\n\n",
    )
    assert run("words", "own", SUTRA_CROSS="arm64") == (0, "own=1.1\n")


@pytest.mark.parametrize(
    ("suite", "expected"),
    [
        ("trixie", (0, "")),
        ("forky", (1, "packages.lock is not of forky: the newest packages are taken\n")),
        ("trix", (1, "packages.lock is not of trix: the newest packages are taken\n")),
    ],
)
def test_a_lock_holds_for_one_release(
    deb: str, folder: Path, suite: str, expected: tuple[int, str]
) -> None:
    (folder / "os-release").write_text(f"NAME=Debian\nVERSION_CODENAME={suite}\n")
    assert run("applies", OS_RELEASE="os-release") == expected


HASH = "0" * 64
SUITE = "suite: no line, or several, that names a release of Debian"
DAMAGED = {
    "": SUITE,
    "# suite:\n": SUITE,
    "# suite: Trixie\n": SUITE,
    "# suite: trixie \n": SUITE,
    "#suite: trixie\n": SUITE,
    "# suite: trixie\n# suite: bookworm\n": SUITE,
    f"small 1 all {HASH}\n": SUITE,
    "# suite: trixie\r\n": "line 1: ends in a carriage return",
    f"# suite: trixie\nsmall 1 all {HASH}\r\n": "line 2: ends in a carriage return",
    "# suite: trixie\nsmall 1 all\n": 'line 2: not a locked package "small 1 all"',
    f"# suite: trixie\nsmall 1 {HASH}\n": f'line 2: not a locked package "small 1 {HASH}"',
    f"# suite: trixie\nsmall 1 all {HASH[1:]}\n": (
        f'line 2: not a locked package "small 1 all {HASH[1:]}"'
    ),
    f"# suite: trixie\nsmall 1 all {'F' * 64}\n": (
        f'line 2: not a locked package "small 1 all {"F" * 64}"'
    ),
    f"# suite: trixie\nsmall 1 i386 {HASH}\n": (
        f'line 2: not a locked package "small 1 i386 {HASH}"'
    ),
    f"<<<<<<< HEAD\n# suite: trixie\nsmall 1 all {HASH}\n": (
        'line 1: not a locked package "<<<<<<< HEAD"'
    ),
    f"# suite: trixie\nsmall 1 all {HASH}\nsmall 2 amd64 {HASH}\n": (
        'line 3: locked twice "small"'
    ),
    f"\ufeff# suite: trixie\nsmall 1 all {HASH}\n": (
        'line 1: not a locked package "# suite: trixie"'
    ),
}


@pytest.mark.parametrize(("text", "problem"), DAMAGED.items())
def test_a_damaged_lock_is_not_one_of_another_release(deb: str, text: str, problem: str) -> None:
    Path("packages.lock").write_bytes(text.encode())
    Path("os-release").write_text("VERSION_CODENAME=bookworm\n")
    assert run("applies", OS_RELEASE="os-release") == (
        2,
        f"sutra: packages.lock: {problem}\n{NEW_LOCK}",
    )


@pytest.mark.parametrize("file", ["packages.lock", "builders.lock"])
def test_the_locks_of_the_project_are_not_damaged(deb: str, file: str) -> None:
    shutil.copy(ROOT / "base-images" / file, "packages.lock")
    Path("os-release").write_text("VERSION_CODENAME=trixie\n")
    assert run("applies", OS_RELEASE="os-release") == (0, "")


def test_what_was_fetched_is_what_is_locked(deb: str) -> None:
    assert run("hold", "small.deb") == (0, "")


@pytest.mark.parametrize("verb", ["hold", "check"])
def test_what_has_a_locked_name_and_its_bytes_is_not_read_again(
    deb: str, folder: Path, verb: str
) -> None:
    """dpkg-deb would be started four times for each of a toolchain's hundred packages."""
    Path("archives").mkdir()
    Path("small.deb").rename("archives/small_1%3a2.0-1_all.deb")
    program(folder / "bin", "dpkg-deb", "echo asked >&2; exit 1\n")
    assert run(verb, "archives/small_1%3a2.0-1_all.deb") == (0, "")


@pytest.mark.parametrize("verb", ["hold", "check"])
@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ("small_1%3a2.0-0_all.deb", '"small" is 1:2.0-1, locked is 1:2.0-0'),
        ("small_1%3a2.0-1_all.deb", '"small" is 1:2.0-1, locked is 1:2.0-0'),
        ("small.deb", '"small" is 1:2.0-1, locked is 1:2.0-0'),
    ],
)
def test_the_name_of_a_file_alone_is_believed_by_nobody(
    deb: str, folder: Path, verb: str, file: str, problem: str
) -> None:
    """The lock has the package's bytes under a version that they are not."""
    lock(f"small 1:2.0-0 all {deb if file != 'small_1%3a2.0-0_all.deb' else '0' * 64}")
    program(folder / "bin", "apt-cache", "echo ' small | 1:2.0-0 | http://mirror trixie/main'\n")
    Path("small.deb").rename(file)
    assert run(verb, file) == (1, f"sutra: packages.lock: {problem}\n{NEW_LOCK}")


@pytest.mark.parametrize("verb", ["hold", "check"])
@pytest.mark.parametrize("broken", ["awk", "sha256sum"])
def test_a_comparison_that_fails_lets_no_package_in(
    deb: str, folder: Path, verb: str, broken: str
) -> None:
    Path("small.deb").rename("small_1%3a2.0-1_all.deb")
    program(folder / "bin", broken, "exit 1\n")
    assert run(verb, "small_1%3a2.0-1_all.deb")[0] == 1


def test_one_of_many_that_differs_is_found(deb: str) -> None:
    Path("good").mkdir()
    good = Path("small.deb").rename("good/small_1%3a2.0-1_all.deb")
    bad = Path("small_1%3a2.0-1_all.deb")
    bad.write_bytes(good.read_bytes() + b"\0")
    digest = hashlib.sha256(bad.read_bytes()).hexdigest()
    assert run("hold", str(good), str(bad))[1].splitlines()[0] == (
        f'sutra: packages.lock: "small" 1:2.0-1 has another SHA-256 than is locked: {digest}'
    )


def test_a_dependency_that_the_lock_has_not(deb: str) -> None:
    lock(f"other 1.0 all {deb}")
    code, said = run("hold", "small.deb")
    assert code == 1
    assert re.fullmatch(r'sutra: packages\.lock: no "small" for \w+\n' + re.escape(NEW_LOCK), said)


def test_a_version_that_apt_took_for_one_that_is_gone(deb: str, folder: Path) -> None:
    lock(f"small 1:2.0-0 all {deb}\n# day: 20260304T000000Z")
    code, said = run("hold", "small.deb")
    assert (code, said.splitlines()[0]) == (
        1,
        'sutra: packages.lock: "small" 1:2.0-0 is no longer on the mirror, which has 1:2.0-2',
    )
    program(folder / "bin", "apt-cache", "echo ' small | 1:2.0-0 | http://mirror trixie/main'\n")
    problem = 'sutra: packages.lock: "small" is 1:2.0-1, locked is 1:2.0-0\n'
    assert run("hold", "small.deb") == (1, problem + NEW_LOCK)


def test_other_bytes_of_a_dependency(deb: str) -> None:
    lock(f"small 1:2.0-1 all {'0' * 64}")
    assert run("hold", "small.deb")[1].splitlines()[0] == (
        f'sutra: packages.lock: "small" 1:2.0-1 has another SHA-256 than is locked: {deb}'
    )


def test_everything_is_explained_where_apt_names_nothing(deb: str) -> None:
    lock(f"here 1:2.0-2 all {deb}\nsmall 1:2.0-1 all {deb}")
    code, said = run("explain")
    assert (code, said.splitlines()[0]) == (
        1,
        'sutra: packages.lock: "small" 1:2.0-1 is no longer on the mirror, which has 1:2.0-2',
    )
