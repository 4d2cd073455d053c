"""builders.lock: what Dockerfiles install, and all that it depends on, by apt's own choice."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.debian import builders_lock, packages_lock
from scripts.debian.archive import NotKnownError, opened
from scripts.debian.packages_lock import MACHINES, Lock
from tests.conftest import ROOT
from tests.support.debian_mirror import SUITE, Mirror

DOCKERFILE = """\
FROM debian AS slice
RUN /lib/sutra/slice.sh /rootfs \\
      libc6
RUN /lib/sutra/apt.sh install \\
      gcc \\
      make
# for docs
RUN apt.sh install \\
      rustc
RUN apt.sh install g++ bc \\
 && touch /done; apt.sh install patch
"""


def newest(mirror: Mirror, *names: str) -> Lock:
    mirror.publish()
    with opened(SUITE, mirror.knobs) as place:
        return builders_lock.newest(place, names)


def test_the_packages_are_those_that_dockerfiles_install(folder: Path) -> None:
    for name in ("base-images/a.Dockerfile", "packages/b/Dockerfile.prod", "packages/b/Dockerfile"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(DOCKERFILE.replace("rustc", Path(name).stem.lower()))
    assert builders_lock.names() == ("a", "bc", "dockerfile", "g++", "gcc", "make", "patch")


def test_dependencies_are_locked_for_each_machine(mirror: Mirror) -> None:
    mirror.add("gcc", "4:14.2", depends="gcc-14 (>= 14), base")
    for machine in MACHINES:
        mirror.add("gcc-14", "14.2.0-1", architecture=machine, depends="libgcc")
    mirror.add("libgcc", "1.0")
    mirror.add("libgcc", "1.0+deb13u1", "trixie-security")
    mirror.add("base", "1~rc1", architecture="amd64")
    mirror.add("base", "1", architecture="arm64")
    mirror.add("unneeded", "1")
    lock = newest(mirror, "gcc")
    assert lock.suite == SUITE
    assert [(package.name, package.version, package.architecture) for package in lock.packages] == [
        ("base", "1", "arm64"),
        ("base", "1~rc1", "amd64"),
        ("gcc", "4:14.2", "all"),
        ("gcc-14", "14.2.0-1", "amd64"),
        ("gcc-14", "14.2.0-1", "arm64"),
        ("libgcc", "1.0+deb13u1", "all"),
    ]


def test_a_name_that_debian_has_not(mirror: Mirror) -> None:
    mirror.add("gcc", "1")
    with pytest.raises(NotKnownError) as caught:
        newest(mirror, "gcc", "gxx")
    assert caught.value.message == "debian: not known: Unable to locate package gxx"


def test_a_dependency_that_debian_has_not(mirror: Mirror) -> None:
    mirror.add("gcc", "1", depends="gone")
    with pytest.raises(NotKnownError) as caught:
        newest(mirror, "gcc")
    assert caught.value.why


def test_this_checkout_s_lock_has_all_that_its_dockerfiles_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    names = builders_lock.names()
    assert {"gcc", "rustc", "golang-go", "libopenblas-pthread-dev", "python3"} <= set(names)
    lock = packages_lock.read(builders_lock.LOCK)
    packages_lock.refuse_incomplete(lock, names, builders_lock.LOCK)
    assert lock
    # libraries whose code is linked into an image
    there = {package.name for package in lock.packages}
    assert {"libgfortran-14-dev", "libstd-rust-dev", "libc6-dev", "libgcc-14-dev"} <= there
