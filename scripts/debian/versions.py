"""Debian's order of versions, by dpkg itself: `1.0~rc1` is below `1.0`, `1:0.1` above both.

Source: deb-version(7).
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from functools import cache, cmp_to_key

from scripts.common.errors import SutraError

# epoch, upstream version, revision: the characters that deb-version(7) allows
VERSION = re.compile(r"(?:\d{1,9}:)?\d[A-Za-z0-9.+~:-]{0,199}", re.ASCII)
# exit codes of dpkg --compare-versions; any other is an error, and no answer
TRUE, FALSE = 0, 1
# a binary package that was built again from the same source
_REBUILT = re.compile(r"\+b\d+$")


def newest(versions: Iterable[str]) -> str:
    """Return the highest version, "" of none."""
    return max(versions, key=cmp_to_key(_compare), default="")


def is_newer(version: str, than: str) -> bool:
    """Return whether a version is above another one."""
    return _compare(version, than) > 0


def of_source(version: str) -> str:
    """Return the version that a changelog names, of a binary package's."""
    return _REBUILT.sub("", version)


def _compare(first: str, other: str) -> int:
    if first == other:
        return 0
    return 1 if _is_above(first, other) else -1


@cache
def _is_above(first: str, other: str) -> bool:
    for version in (first, other):
        if not VERSION.fullmatch(version):
            raise SutraError(f'debian: not a version "{version}"', "run `make update ONLY=debian`")
    command = ["dpkg", "--compare-versions", first, "gt", other]
    try:
        code = subprocess.run(command, capture_output=True, check=False).returncode
    except OSError as error:
        raise SutraError(
            f"debian: dpkg: {error.strerror}", "run it on Debian or Ubuntu, or in a container of it"
        ) from error
    if code not in (TRUE, FALSE):
        raise SutraError(
            f'debian: dpkg cannot compare "{first}" with "{other}": exit code {code}',
            f"`dpkg --compare-versions {first} gt {other}` says why",
        )
    return code == TRUE
