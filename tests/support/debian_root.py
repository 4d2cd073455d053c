"""Roots of Debian releases for tests: mmdebstrap's command, the same for all.

Every package is checked against the release's signed index (InRelease, Debian's archive
keyring), as apt always does. What is not asked for is that the index be young: mirrors
that are frozen serve one whose `Valid-Until` has passed. So an old state of the release
can be passed off for the newest, and nothing that Debian did not sign.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from scripts.common import settings
from tests.conftest import ROOT
from tests.engines import cache

# Debian's packages that make a root
MAKERS = ("mmdebstrap", "debian-archive-keyring", "uidmap")
# Packages of the root of another release: its engine, and its Python with what unit tests run, so
# that none is left out for lack of a compiler or Node.js. One root serves both: a bootstrap takes
# most of a minute.
PACKAGES = (
    "binutils",
    "ca-certificates",
    "containerd",
    "docker-buildx",
    "docker-cli",
    "docker-compose",
    "docker.io",
    "gcc",
    "git",
    "gnupg",
    "iptables",
    "libc6-dev",
    "make",
    "mmdebstrap",
    "nodejs",
    "openssl",
    "procps",
    "python3",
    "python3-venv",
    "runc",
    "uidmap",
)
OPTIONS = (
    "--variant=minbase",
    '--aptopt=Acquire::Check-Valid-Until "false"',
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
)


def command(packages: Sequence[str]) -> list[str]:
    """Return mmdebstrap's command, to which suite, file and `mirror` are added."""
    bundle = settings.ca_bundle(os.environ)
    trust = [f'--aptopt=Acquire::https::CaInfo "{bundle}"'] if bundle else []
    return ["mmdebstrap", *OPTIONS, f"--include={','.join(packages)}", *trust]


def archive(suite: str) -> Path:
    """Return a tar file of Debian's `suite` with PACKAGES, made once."""
    return kept(f"{suite}-root", suite, PACKAGES)


def kept(name: str, suite: str, packages: Sequence[str]) -> Path:
    """Return a root of Debian's `suite` as a tar file, kept by its name and its packages."""
    root = [*command(packages), "--format=tar", suite]

    def make(file: Path) -> None:
        cache.program("mmdebstrap", *MAKERS)
        done = subprocess.run(
            [*root, str(file), *mirror()], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-3000:]

    return cache.kept(f"{name}.tar", root, make)


def mirror() -> list[str]:
    """Return the mirror that is set here, if one is."""
    return [os.environ["APT_MIRROR"]] if os.environ.get("APT_MIRROR") else []
