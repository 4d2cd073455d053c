"""Programs that no production image holds: by their names, and by what they are.

Programs count wherever they are, as long as somebody may execute them: a shell under
/app is a shell. What its bytes show to be one is one under any name and mode. Names are
data, in the folder `known`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from scripts.checks.contents.known_programs import Names, package, program, sections_of
from scripts.checks.contents.recorded import distributions, packages
from scripts.checks.contents.rule import Finding, Rule, Subject, quoted

if TYPE_CHECKING:
    from scripts.image.inventory import Entry

_BIN = re.compile(r"(?:.*/)?s?bin/[^/]+", re.DOTALL)
# programs that are what the name of a link to them says
_MULTICALL = ("busybox", "toybox")
# kinds of marks that a rule finds beside those of its own name
_ALSO = {"toolchain": {"packed"}, "installers": {"package"}}
_PYTHON = r"(?:.*/)?(?:site|dist)-packages/"
PACKAGING = (
    rf"{_PYTHON}(?:pip|setuptools|wheel|pkg_resources|_distutils_hack|uv)"
    r"(?:-\d[^/]*\.(?:dist|egg)-info)?/.+|(?:.*/)?ensurepip/.+"
    # vendored, zipped, or as a wheel: wherever they are
    # (the end first: under pip/pip/pip/… every folder would be tried with every other)
    r"|(?=.*[^/]\.pyc?\Z)(?:.*/)?(?:pip|setuptools|pkg_resources|_distutils_hack)/.+"
    r"|(?:.*/)?(?:pip|pipx|uv|virtualenv)(?:-[^/]+)?\.pyz|(?:.*/)?get-pip\.pyc?"
    # archives that packages are installed from (PEP 427; others are known by their bytes)
    r"|(?:.*/)?[^/]+-[^/]+-[^/]+-[^/]+\.whl|(?:.*/)?(?:pip|setuptools|wheel|uv)-\d[^/]*\.whl"
    r"|(?:.*/)?[^/]+-\d[^/]*\.(?:egg|crate|gem|conda|deb|rpm|apk)"
)


class Forbidden:
    """The names of one rule, and whether a file is one of them."""

    def __init__(self, rule: str, names: Mapping[str, frozenset[str]], pattern: str) -> None:
        def of(*sections: str) -> Names:
            return Names(*(names.get(section, frozenset()) for section in sections))

        self._kinds = {rule} | _ALSO.get(rule, set())
        self._tools, self._scripts, self._links = of("any", "programs"), of("any"), of("links")
        self._libraries = of("libraries")
        self.packages, self.distributions = of("packages"), of("distributions")
        folders = _in_folders(sorted(names.get("folders", ())))
        self._paths = re.compile("|".join(filter(None, (pattern, folders))) or "(?!)", re.DOTALL)

    def is_path(self, path: str) -> bool:
        """Return whether a path says it all: of a folder, a library or a pattern."""
        return bool(self._paths.fullmatch(path)) or path.rpartition("/")[2] in self._libraries

    def is_tool(self, subject: Subject, entry: Entry) -> bool:
        """Return whether an entry has the name of a tool, may be executed, and may be one."""
        if entry.kind == "symlink":
            return bool(_BIN.fullmatch(entry.path)) and self._is_linked(subject, entry)
        if not entry.mode & 0o111:
            return False
        return (self._scripts if entry.script else self._tools).has_program(entry.path)

    def _is_linked(self, subject: Subject, entry: Entry) -> bool:
        """Return whether a link has the name of a tool: what it leads to may be a script."""
        target = subject.image.resolve(entry.path)
        if target and (program(target.path) in _MULTICALL or set(_names(target)) & {*_MULTICALL}):
            return self._links.has_program(entry.path)
        names = self._scripts if target and target.script else self._tools
        return names.has_program(entry.path)

    def by_content(self, entry: Entry) -> str:
        """Return what an entry is by its bytes, or by the libraries that it needs; else ""."""
        for mark in entry.marks:
            kind, _, name = mark.partition(":")
            if kind in self._kinds:
                return name
        if entry.elf and entry.elf.is_program:
            return next((name for name in entry.elf.needed if name in self._libraries), "")
        return ""


def _in_folders(names: list[str]) -> str:
    """Return a pattern for what is in a folder of one of those names, at any depth."""
    any_of = "|".join(re.escape(name).replace(r"\*", "[^/]*") for name in names)
    return rf"(?:.*/)?(?:{any_of}).+" if names else ""


def _names(entry: Entry) -> Iterator[str]:
    return (mark.partition(":")[2] for mark in entry.marks)


def _programs(rule: str, pattern: str = "") -> Callable[[Subject], Iterator[Finding]]:
    """Return a check for a rule's names, and for paths that `pattern` matches."""
    forbidden = Forbidden(rule, sections_of(rule), pattern)

    def check(subject: Subject) -> Iterator[Finding]:
        for path, entry in subject.files.items():
            if entry.kind == "folder":
                continue
            if forbidden.is_path(path) or forbidden.is_tool(subject, entry):
                yield Finding(path, f"forbidden {quoted(path)}")
            elif what := forbidden.by_content(entry):
                yield Finding(path, f"forbidden {quoted(path)}: {what} by its content")
        for name in packages(subject):
            if name in forbidden.packages or package(name) in forbidden.packages:
                yield Finding(f"package:{name}", f"forbidden package {quoted(name)}")
        for folder, name in distributions(subject):
            if name in forbidden.distributions:
                yield Finding(folder, f"forbidden distribution {quoted(folder)}")

    return check


RULES = (
    Rule(
        "toolchain",
        "no compiler, assembler, linker, debugger, make, cargo or rustc, whatever they are called",
        _programs("toolchain"),
    ),
    Rule(
        "installers",
        "no pip, setuptools, wheel or other installer of language packages, and no package or "
        "archive that something was installed from",
        _programs("installers", PACKAGING),
    ),
    Rule("package-managers", "no package manager of a distribution", _programs("package-managers")),
    Rule("shells", "no shell, busybox, perl or other interpreter but Python", _programs("shells")),
)
