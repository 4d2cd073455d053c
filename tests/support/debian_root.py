"""Roots of Debian releases for tests: mmdebstrap's command, the same for all.

Every package is checked against the release's signed index (InRelease, Debian's archive
keyring), as apt always does. What is not asked for is that the index be young: mirrors
that are frozen serve one whose `Valid-Until` has passed. So an old state of the release
can be passed off for the newest, and nothing that Debian did not sign.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from scripts.common import settings

# Debian's packages that make a root
MAKERS = ("mmdebstrap", "debian-archive-keyring", "uidmap")
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


def mirror() -> list[str]:
    """Return the mirror that is set here, if one is."""
    return [os.environ["APT_MIRROR"]] if os.environ.get("APT_MIRROR") else []
