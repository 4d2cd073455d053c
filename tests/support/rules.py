"""What no production image may hold, as functions of a listing of its files."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterable, Mapping

TOOLS = {
    "apk", "apt", "apt-get", "ar", "as", "ash", "bash", "busybox", "c++", "cargo", "cc", "clang",
    "dash", "dpkg", "g++", "gcc", "ld", "make", "perl", "pip", "pip3", "rustc", "sh", "uv", "zsh",
}  # fmt: skip
LEFTOVERS = re.compile(
    r"(^|/)(__pycache__/.*\.pyc\.\d+|direct_url\.json|.*\.(h|hpp|a|la|pyi|pyx|pxd|pyo))$"
    r"|(^|/)usr/share/doc/(?![^/]+/copyright$)[^/]+/[^/]+"
    r"|(^|/)(usr/include|usr/share/man|usr/share/locale|var/lib/apt|var/cache/apt|root/\.cache)/"
    r"|site-packages/(pip|setuptools|wheel|pkg_resources)(/|$)"
)
# numpy.testing, which scipy and scikit-learn import, needs this one (numpy PR#28936)
KEPT_TESTS = re.compile(r"/numpy/_core/tests/(__init__|_natype)\.pyc$")
TESTS = re.compile(r"/tests?/[^/]+\.(py|pyc|so)$")


def tools(paths: Iterable[str]) -> list[str]:
    """Return shells, package managers and build tools, wherever on PATH they are."""
    return [
        path for path in paths if re.search(r"(^|/)s?bin/[^/]+$", path) and _name(path) in TOOLS
    ]


def leftovers(paths: Iterable[str]) -> list[str]:
    """Return headers, static libraries, stubs, tests, documentation, caches."""
    return [
        path
        for path in paths
        if LEFTOVERS.search(path) or (TESTS.search(path) and not KEPT_TESTS.search(path))
    ]


def unsafe(files: Mapping[str, tarfile.TarInfo]) -> list[str]:
    """Return set-uid and set-gid files, devices, and what everybody may write to."""
    return [
        path
        for path, entry in files.items()
        if entry.mode & 0o6000
        or (entry.isdev() and not path.startswith("dev/"))
        or (entry.mode & 0o002 and not entry.issym() and not entry.mode & 0o1000)
    ]


def _name(path: str) -> str:
    return re.sub(r"[-.0-9]+$", "", path.rpartition("/")[2])
