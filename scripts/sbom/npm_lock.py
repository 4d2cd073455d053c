"""What a package-lock.json names: https://docs.npmjs.com/cli/configuring-npm/package-lock-json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.common.errors import SutraError

LOCK = "package-lock.json"
_BELOW = "node_modules/"
# key of lockfileVersion 2 and newer (npm 7)
_PACKAGES = "packages"


@dataclass(frozen=True)
class LockedPackage:
    """One locked package; `is_needed` where every installation for production has it."""

    name: str
    version: str
    is_needed: bool


def packages(lock: Path) -> Iterator[LockedPackage]:
    """Yield the packages of a lock, but for those of development alone.

    Raises SutraError for a lock that cannot be read.
    """
    try:
        locked = json.loads(lock.read_text(encoding="utf-8"))[_PACKAGES]
        for path, package in locked.items():
            if _BELOW not in path or package.get("dev") or package.get("link"):
                continue
            name = str(package.get("name") or path.rpartition(_BELOW)[2])
            optional = any(package.get(key) for key in ("optional", "devOptional", "peer"))
            yield LockedPackage(name, str(package["version"]), not optional)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise SutraError(f"{lock}: cannot be read: {_reason(error)}", "run `make lock`") from error


def _reason(error: Exception) -> str:
    return f"no key {error}" if isinstance(error, KeyError) else str(error).splitlines()[0]
