"""Read what apt says when it fails: the first reason in one line, and what to do about it.

apt 2 checks signatures with gpgv, apt 3 with sqv, and each has its own words.
"""

from __future__ import annotations

import re

from scripts.common.text import printable

TIP = "check the network, APT_MIRROR and CA_BUNDLE, then run the same command again"
# apt takes a full disk for a bad signature too
UNSIGNED_TIP = (
    "check APT_MIRROR, that debian-archive-keyring is the newest, and `df -h ${TMPDIR:-/tmp}`, "
    "then run the same command again"
)
# the most characters of a reason
LONGEST = 300
_LOGIN = re.compile(r"//[^/\s@]*@")
_CHECKER = re.compile(r"Sub-process \S+ returned an error code \(\d+\), error message is: ")
# apt's error for any index without a good signature, the same in all its versions
_UNSIGNED = re.compile(r"^E: The repository '.*' is not signed\.$", re.MULTILINE)


def reason(output: str) -> str:
    """Return apt's first reason without the login that an address may hold."""
    lines = [line[2:] for line in output.splitlines() if line.startswith(("E:", "W:"))]
    first = lines[0] if lines else "apt-get failed without a reason"
    # apt 3 joins several lines of sqv, and leaves the reason out behind "Unable to connect to x:"
    line = " ".join(_CHECKER.sub("", first).split()).removesuffix(":")
    return printable(_LOGIN.sub("//", line))[:LONGEST]


def tip(output: str) -> str:
    """Return what helps: the network is fine where an index came without a good signature."""
    return UNSIGNED_TIP if _UNSIGNED.search(output) else TIP
