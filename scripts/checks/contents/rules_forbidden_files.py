"""Files that no production image holds: headers, documents, caches and what it was built from.

By what they are called, where a name says enough; by their bytes, where it does not.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator

from scripts.checks.contents.rule import Finding, Rule, Subject, quoted
from scripts.checks.contents.shared_keeps import but_kept

_PYTHON = r"(?:.*/)?(?:site|dist)-packages/"
HEADERS = (
    r"(?:.*/)?[^/]+\.(?:h|hh|hpp|hxx|h\+\+|inl|ipp|tcc|cuh|gch|pch)"
    r"|usr/(?:local/)?include/.+|opt/(?:[^/]+/)?include/.+"
)
# others are known by their bytes: "layer.o" may be anything
STATIC = r"(?:.*/)?lib[^/]+\.l?a|(?:.*/)?[^/]+\.rlib"
TESTS = re.compile(
    r"((?:.*/)?(?:(?:unit|integration|functional|e2e)[-_])?_?tests?/).+|(?:.*/)?conftest\.pyc?"
    # Go's: what tests read; what is inside of a tree of Python is its cleanup's work
    r"|(?!(?:.*/)?python3[^/]*/)(?:.*/)?testdata/.+",
    re.IGNORECASE | re.DOTALL,
)
_TEST_FOLDER = re.compile(r"(?:^|(?<=/))test/")
_MODULE = re.compile(r"(?:.*/)?test/__init__\.pyc?", re.DOTALL)
_A_TEST = re.compile(r"(?:.*/)?(?:test_[^/]*|[^/]*_test|conftest|tests)\.pyc?", re.DOTALL)
# beside what packages bring: a module called docs is not documentation, and files inside a tree of
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
    rf"|{_PYTHON}(?:.*/)?(?:docs?/(?!(?:.*/)?[^/]+\.pyc?$)|examples?/).+"
    # packages read other texts as templates and prompts (base-images/cleanup/python.yaml)
    rf"|{_PYTHON}(?!(?:.*/)?licenses/)(?:.*/)?(?:README|CHANGE|CONTRIBUTING|HISTORY)[^/]*\.(?:rst|md)"
    rf"|{_PYTHON}.*\.rst\.txt"
    rf"|{_OWN_DOCS}"
)
CACHES = (
    r"var/cache/.+|var/lib/apt/.+|etc/apk/cache/.+|(?:var/)?tmp/.+|var/log/.+"
    r"|(?:.*/)?(?:\.cache|\.pytest_cache|\.mypy_cache|\.ruff_cache|\.hypothesis)/.+"
    r"|(?:.*/)?(?:\.npm|\.ccache|\.eggs|\.tox|\.nox|\.ipynb_checkpoints|\.uv_cache)/.+|var/backups/.+"
    # Go's module cache, wherever GOPATH is
    r"|(?:.*/)?pkg/mod/(?:cache/.+|[^@]+@v.+)|(?:.*/)?go-build/[0-9a-f]{2}/.+"
    r"|(?:.*/)?\.cargo/(?:registry|git)/.+|(?:.*/)?[^/]+\.(?:pyo|pyc\.\d+|swp)|(?:.*/)?\.coverage"
    r"|(?:.*/)?(?:\.\w+_history|\.wget-hsts|\.lesshst|\.viminfo|\.DS_Store|Thumbs\.db|nohup\.out)"
)
# files that a package of conda has in its cache alone: an environment does not get them
_CONDA_PACKAGE = ("info/index.json", "info/paths.json")
BUILD_FILES = (
    r"(?:.*/)?[^/]+\.(?:pyi|pyx|pxd|pxi|c|cc|cpp|cxx|c\+\+|cu|f|f90|rs|go|S|asm|cmake|pc)"
    r"(?:\.in|\.tp|\.j2|\.orig|\.rej)?"
    r"|(?:.*/)?(?:meson\.build|CMakeLists\.txt|Cargo\.(?:toml|lock)|go\.(?:mod|sum|work|work\.sum)|Dockerfile[^/]*|[^/]+\.Dockerfile)"
    r"|(?:.*/)?(?:(?:GNU)?[Mm]akefile(?:\.\w+)?|configure\.ac|config\.log|setup\.py|tox\.ini|noxfile\.py)"
    r"|(?:.*/)?(?:\.dockerignore|(?:docker-)?compose[^/]*\.ya?ml|\.gitlab-ci\.yml|\.pre-commit-config\.yaml)"
    r"|(?:.*/)?\.git(?:ignore|attributes|modules|/.+)?|(?:.*/)?\.(?:hg|svn|bzr|github)/.+"
    r"|(?:.*/)?[^/]+\.dist-info/direct_url\.json"
    # libtool's; gcc's counts and split symbols; what patch and editors leave
    r"|(?:.*/)?[^/]+\.(?:la|gcda|gcno|gcov|dwo|dwp|orig|rej)|(?:.*/)?[^/]+~|usr/lib/debug/.+"
    r"|(?:.*/)?\.(?:idea|vscode)/.+"
    # locks of Python's tools
    r"|(?:.*/)?(?:(?:poetry|uv|pdm)\.lock|pylock(?:\.[^/.]+)?\.toml|Pipfile(?:\.lock)?)"
    # npm's: locks, what node-gyp builds from and with, TypeScript
    r"|(?:.*/)?(?:\.?package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml)"
    r"|(?:.*/)?(?:binding\.gyp|config\.gypi|obj\.target/.+|[^/]+\.target\.mk|tsconfig[^/]*\.json)"
    r"|(?:.*/)?node_modules/(?:.*/)?[^/]+\.(?:[cm]?ts|tsx|tsbuildinfo)"
)


def _files(pattern: str, kinds: tuple[str, ...] = ()) -> Callable[[Subject], Iterator[Finding]]:
    """Return a check for paths, and for marks of `kinds`: what a file is by its bytes."""
    paths = re.compile(pattern, re.DOTALL)

    def check(subject: Subject) -> Iterator[Finding]:
        for path, entry in subject.files.items():
            if entry.kind == "folder":
                continue
            is_one = any(mark.partition(":")[0] in kinds for mark in entry.marks)
            if is_one or (entry.elf and entry.elf.kind in kinds) or paths.fullmatch(path):
                yield Finding(path, f"forbidden {quoted(path)}")

    return check


def caches(subject: Subject) -> Iterator[Finding]:
    """Find caches by their paths, and conda's, which may be anywhere, by its packages."""
    yield from _files(CACHES, ("CORE",))(subject)
    index, others = _CONDA_PACKAGE
    indexes = [path for path in subject.files if path.endswith(f"/{index}")]
    for folder in sorted(path.removesuffix(f"/{index}") for path in indexes):
        if f"{folder}/{others}" in subject.files:
            yield Finding(folder, f"forbidden {quoted(folder)}")


def tests(subject: Subject) -> Iterator[Finding]:
    """Find test folders, but for a module called `test` in which no test is (django.test)."""
    modules = _test_modules(subject)
    for path, entry in subject.files.items():
        match = None if entry.kind == "folder" else TESTS.fullmatch(path)
        # `go test -c` makes a program of a package's tests
        is_program = entry.elf is not None and path.endswith(".test")
        if is_program or (match and match[1] not in modules):
            yield Finding(path, f"forbidden {quoted(path)}")


def _test_modules(subject: Subject) -> set[str]:
    """Return folders called `test` that are packages of Python without tests: "a/test/"."""
    modules, suites = set[str](), set[str]()
    for path in subject.files:
        if _MODULE.fullmatch(path):
            modules.add(posixpath.dirname(path) + "/")
        elif _A_TEST.fullmatch(path):
            suites.update(path[: match.end()] for match in _TEST_FOLDER.finditer(path))
    return modules - suites


RULES = (
    Rule("headers", "no C or C++ headers", _files(HEADERS)),
    Rule(
        "static-libraries",
        "no static libraries and object files, whatever they are called",
        _files(STATIC, ("static-libraries", "REL")),
    ),
    Rule("tests", "no test folders", but_kept(tests)),
    Rule(
        "docs",
        "no documentation, man pages, examples or translations (copyright files are allowed)",
        but_kept(_files(DOCS)),
    ),
    Rule(
        "caches",
        "no caches, logs, package lists, temporary files or core dumps; "
        "a package that conda has unpacked in its cache is one finding",
        caches,
    ),
    Rule(
        "build-files",
        "no sources of extension modules, type stubs, TypeScript, locks, build recipes or traces "
        "of version control",
        _files(BUILD_FILES),
    ),
)
