"""Files that no production image holds, by what they are called.

Programs count wherever they are, as long as somebody may execute them: a shell
under /app is a shell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from scripts.checks.contents.rule import Finding, Rule, Subject, quoted

if TYPE_CHECKING:
    from scripts.image.inventory import Entry

# a "*" at the end of a name: whatever begins like it
TOOLCHAIN = {
    "ar", "as", "c++", "cargo", "cc", "cc1", "cc1plus", "clang*", "cmake", "collect2",
    "cpp", "g++", "gcc", "gcc-ar", "gcc-nm", "gcc-ranlib", "gdb", "gfortran", "gmake", "go", "ld",
    "ld.bfd", "ld.gold", "ld.lld", "ld.mold", "ld64.lld", "lld*", "llvm-*", "lto1", "make",
    "meson", "mold", "nasm", "ninja", "objcopy", "objdump", "ranlib", "rust-lld", "rustc",
    "rustdoc", "rustfmt", "rustup", "strip", "tcc", "wasm-ld",
}  # fmt: skip
INSTALLERS = {
    "conda", "easy_install", "npm", "npx", "pdm", "pip", "pipx", "poetry", "uv", "uvx", "wheel",
}  # fmt: skip
MANAGERS = {
    "apk", "apt", "apt-cache", "apt-get", "apt-key", "aptitude", "dnf", "dpkg", "dpkg-deb",
    "dpkg-divert", "dpkg-query", "dpkg-split", "dpkg-statoverride", "microdnf", "opkg", "pacman",
    "rpm", "tdnf", "yum", "zypper",
}  # fmt: skip
# perl and its like run a script as a shell does
SHELLS = {
    "ash", "bash", "busybox", "csh", "dash", "fish", "ksh", "lksh", "lua", "mksh", "perl", "rbash",
    "sh", "tcsh", "toybox", "yash", "zsh",
}  # fmt: skip
# "x86_64-linux-gnu-gcc-14" is gcc, "pip3.13" is pip
_TRIPLET = re.compile(r"^(?:x86_64|aarch64|i[3-6]86|arm\w*|riscv64|s390x|powerpc64le)-(?:\w+-)+")
_VERSION = re.compile(r"-?\d[.\d]*$")
_BIN = re.compile(r"(?:.*/)?s?bin/[^/]+", re.DOTALL)

_PYTHON = r"(?:.*/)?(?:site|dist)-packages/"
_LICENCE = r"(?:LICEN[CS]E|COPYING|NOTICE|AUTHORS)[^/]*"
HEADERS = r"(?:.*/)?[^/]+\.(?:h|hh|hpp|hxx)|usr/(?:local/)?include/.+"
STATIC = r"(?:.*/)?[^/]+\.(?:a|la|lib|o|rlib|rmeta)"
TESTS = r"(?:.*/)?(?:tests?|_tests)/.+|(?:.*/)?conftest\.pyc?"
# beside what packages bring: a module called docs is none, and what is inside of a tree of
# Python is its cleanup's work
_DOC = r"\.(?:md|rst|txt|html?|adoc|markdown)"
_OWN_DOCS = (
    r"(?!usr/share/|(?:.*/)?python3[^/]*/)(?:.*/)?"
    r"(?:(?:docs?|examples?)/(?!(?:.*/)?[^/]+\.pyc?$).+"
    rf"|README[^/]*|(?:CHANGELOG|CHANGES|HISTORY|CONTRIBUTING)(?:{_DOC})?"
    rf"|(?i:readme|changelog|changes|history|contributing){_DOC})"
)
DOCS = (
    r"usr/(?:local/)?share/(?:man|info|gtk-doc|help|locale|i18n|lintian|bug)/.+"
    r"|usr/share/doc/[^/]+/(?!copyright$).+|usr/share/doc/[^/]+/copyright/.+"
    rf"|{_PYTHON}(?:.*/)?(?:docs?|examples?)/.+"
    rf"|{_PYTHON}(?!(?:.*/)?(?:licenses/.+|{_LICENCE})$).*\.(?:rst|md)"
    rf"|{_OWN_DOCS}"
)
CACHES = (
    r"var/cache/.+|var/lib/apt/.+|etc/apk/cache/.+|(?:var/)?tmp/.+|var/log/.+"
    r"|(?:.*/)?(?:\.cache|\.pytest_cache|\.mypy_cache|\.ruff_cache|\.hypothesis)/.+"
    r"|(?:.*/)?\.cargo/(?:registry|git)/.+|(?:.*/)?[^/]+\.(?:pyo|pyc\.\d+)|(?:.*/)?\.coverage"
)
BUILD_FILES = (
    r"(?:.*/)?[^/]+\.(?:pyi|pyx|pxd|pxi|c|cc|cpp|cxx|f|f90|rs|cmake|pc)(?:\.in|\.tp)?"
    r"|(?:.*/)?(?:meson\.build|CMakeLists\.txt|Cargo\.(?:toml|lock)|Dockerfile[^/]*)"
    r"|(?:.*/)?\.git(?:ignore|attributes|modules|/.+)|(?:.*/)?[^/]+\.dist-info/direct_url\.json"
)
PACKAGING = (
    rf"{_PYTHON}(?:pip|setuptools|wheel|pkg_resources|_distutils_hack|uv)"
    r"(?:-[^/]+\.(?:dist|egg)-info)?/.+|(?:.*/)?ensurepip/.+"
    # vendored, zipped, or as a wheel: wherever they are
    r"|(?:.*/)?(?:pip|setuptools|pkg_resources|_distutils_hack)/(?:.*/)?[^/]+\.pyc?"
    r"|(?:.*/)?(?:pip|pipx|uv|virtualenv)(?:-[^/]+)?\.pyz|(?:.*/)?get-pip\.pyc?"
    r"|(?:.*/)?(?:pip|setuptools|wheel|uv|virtualenv)-\d[^/]*\.whl"
)


def program(path: str) -> str:
    """Return what a program is called, without target and version: "gcc" of "…-gcc-14"."""
    return _VERSION.sub("", _TRIPLET.sub("", path.rpartition("/")[2]))


def _runs(entry: Entry) -> bool:
    """Whether it can be executed: by its mode, or as a link where programs are."""
    if entry.kind == "symlink":
        return bool(_BIN.fullmatch(entry.path))
    return bool(entry.mode & 0o111)


def _is_one(path: str, names: set[str], families: tuple[str, ...]) -> bool:
    found = (path.rpartition("/")[2], program(path))
    return any(name in names or name.startswith(families) for name in found)


def _programs(names: set[str], pattern: str = "") -> Callable[[Subject], Iterator[Finding]]:
    files = re.compile(pattern or "(?!)", re.DOTALL)
    families = tuple(name.removesuffix("*") for name in names if name.endswith("*"))

    def check(subject: Subject) -> Iterator[Finding]:
        for path, entry in subject.files.items():
            if entry.kind == "folder":
                continue
            if (_runs(entry) and _is_one(path, names, families)) or files.fullmatch(path):
                yield Finding(path, f"forbidden {quoted(path)}")

    return check


def _files(pattern: str) -> Callable[[Subject], Iterator[Finding]]:
    return _programs(set(), pattern)


RULES = (
    Rule(
        "toolchain",
        "no compiler, assembler, linker, debugger, make, cargo or rustc",
        _programs(TOOLCHAIN),
    ),
    Rule(
        "installers",
        "no pip, setuptools, wheel or other installer of language packages",
        _programs(INSTALLERS, PACKAGING),
    ),
    Rule("package-managers", "no package manager of a distribution", _programs(MANAGERS)),
    Rule("shells", "no shell, busybox or perl", _programs(SHELLS)),
    Rule("headers", "no C or C++ headers", _files(HEADERS)),
    Rule("static-libraries", "no static libraries and object files", _files(STATIC)),
    Rule("tests", "no test folders", _files(TESTS)),
    Rule(
        "docs",
        "no documentation, manual pages, examples or translations; copyright files are none",
        _files(DOCS),
    ),
    Rule("caches", "no caches, logs, package lists or temporary files", _files(CACHES)),
    Rule(
        "build-files",
        "no sources of extension modules, type stubs, build recipes or traces of version control",
        _files(BUILD_FILES),
    ),
)
