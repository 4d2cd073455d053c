"""The names of programs, packages and distributions that no production image holds: data.

Each file of the folder `known` is one rule's: sections in brackets, names between blanks,
and comments that say which packages the names are from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("known")
# "x86_64-linux-gnu-gcc-14" is gcc, "x86_64-alpine-linux-musl-ar" ar, "pip3.13" pip
_TRIPLET = re.compile(
    r"^(?:x86_64|aarch64|i[3-6]86|arm\w*|riscv\d*|s390x|powerpc\w*|ppc\w*|loongarch64|mips\w*)"
    r"(?:-\w+)??-(?:linux-(?:gnu|musl|uclibc)\w*|none-elf|elf|none-eabi\w*|eabi\w*|w64-mingw32)-"
)
_VERSION = re.compile(r"[-_]?v?\d[.\d]*$")
# suffixes that dpkg-divert and alternatives add to the name of a replaced program
_BEHIND = re.compile(
    r"(?:\.(?:real|bin|orig|distrib|static|exe|old|bak|disabled|phar|dpkg-\w+)|-static(?:-\w+)?"
    r"|[-_.](?:x86_64|amd64|aarch64|arm64|armv7l?|i686|musl|linux))$"
)


@cache
def sections_of(rule: str) -> Mapping[str, frozenset[str]]:
    """Return the names of a rule's file by section: {"programs": {"gcc", "llvm-*"}}."""
    sections: dict[str, set[str]] = {}
    section = ""
    for line in (FOLDER / f"{rule}.txt").read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            sections.setdefault(section, set()).update(line.split())
    return {name: frozenset(names) for name, names in sections.items()}


def program(path: str) -> str:
    """Return what a program is called, without target and version: "gcc" of "…-gcc-14"."""
    name = _TRIPLET.sub("", path.rpartition("/")[2])
    while (shorter := _VERSION.sub("", _BEHIND.sub("", name))) != name and shorter:
        name = shorter
    return name


def package(name: str) -> str:
    """Return what a package is called, without target and version: "openjdk-jdk"."""
    name = re.sub(r"-(?:x86-64|aarch64|arm-\w+|i686|riscv64|s390x)-linux-gnu\w*$", "", name)
    name = re.sub(r"-\d[.\d]*(?=-|$)", "", name)
    return name if name.endswith("++") else _VERSION.sub("", name) or name


class Names:
    """Names to look for; one that ends in "*" matches all that begin like it."""

    def __init__(self, *groups: frozenset[str]) -> None:
        names = frozenset().union(*groups)
        self._exact = {name for name in names if "*" not in name}
        self._families = tuple(name[:-1] for name in names if name.endswith("*"))
        self._inner = tuple(
            re.compile(re.escape(name).replace(r"\*", "[^/]*"))
            for name in names
            if "*" in name[:-1]
        )

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        return (
            name in self._exact
            or name.startswith(self._families)
            or any(pattern.match(name) for pattern in self._inner)
        )

    def has_program(self, path: str) -> bool:
        """Return whether a program at `path` is one of them, as it is called or without more."""
        name = path.rpartition("/")[2]
        return any(
            form in self for form in {name, name.lower(), program(name), program(name.lower())}
        )
