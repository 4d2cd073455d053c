"""Bytecode: as the cleanup manifest said, of the image's Python, and none stale."""

from __future__ import annotations

import json
import posixpath
import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from scripts.checks.contents.rule import Finding, Rule, Subject, quoted
from scripts.image.pyc import MAGIC

if TYPE_CHECKING:
    from scripts.image.inventory import Entry

REPORT = re.compile(r"usr/share/sutra/[^/]+\.json")
PYTHON = re.compile(r"(?:.*/)?bin/python(3\.\d+)", re.DOTALL)
# signs of a Python tree: its own module "os", or the record of a distribution
TREE = re.compile(
    r"((?:.*/)?python3(?:\.\d+)?)/(?:__pycache__/)?os(?:\.[^/]+)?\.pyc?"
    r"|((?:.*/)?[^/]+)/[^/]+\.(?:dist-info/METADATA|egg-info(?:/PKG-INFO)?)",
    re.DOTALL,
)
MASK = 0xFFFFFFFF


def source_of(path: str) -> tuple[str, bool]:
    """Return the source that belongs to a .pyc, and whether the .pyc is in a __pycache__.

    "a/__pycache__/b.cpython-313.pyc" → ("a/b.py", True), "a/b.pyc" → ("a/b.py", False).
    """
    folder, name = posixpath.split(path)
    if posixpath.basename(folder) != "__pycache__":
        return path[:-1], False
    return posixpath.join(posixpath.dirname(folder), name.partition(".")[0] + ".py"), True


def bytecode(subject: Subject) -> Iterator[Finding]:
    """Find bytecode that Python would not take, or take though its source is another."""
    versions = {
        match[1]
        for path, entry in subject.files.items()
        if entry.kind == "file" and (match := PYTHON.fullmatch(path))
    }
    compiled = [entry for entry in subject.contents() if entry.path.endswith(".pyc")]
    magics = {MAGIC[version] for version in versions & MAGIC.keys()}
    for entry in compiled:
        if problem := _problem(subject, entry, magics):
            yield Finding(entry.path, f"{problem} {quoted(entry.path)}")
    yield from _uncompiled(subject, versions)
    cleaned = set()
    for path in filter(REPORT.fullmatch, subject.files):
        try:
            tree, counts = _report(subject, path)
        except (ValueError, KeyError, TypeError, RecursionError):
            yield Finding(path, f"report of a cleanup cannot be read {quoted(path)}")
            continue
        cleaned.add(tree)
        for text in _differences(subject, tree, counts):
            yield Finding(path, text)
    for tree in () if subject.foreign else sorted(_trees(subject)):
        if not any(f"{tree}/".startswith(f"{cleaned_tree}/") for cleaned_tree in cleaned):
            yield Finding(tree, f"Python tree without the report of a cleanup {quoted(tree)}")


def _problem(subject: Subject, entry: Entry, magics: set[int]) -> str:
    if entry.pyc is None:
        return "bytecode without a header"
    if magics and entry.pyc.magic not in magics:
        return "bytecode of another Python"
    path, is_cached = source_of(entry.path)
    source = subject.image.resolve(path)
    if source is None:
        return "bytecode without its source" if is_cached else ""
    if entry.pyc.kind == "timestamp":
        same = entry.pyc.mtime == source.mtime & MASK and entry.pyc.size == source.size & MASK
        return "" if same else "stale bytecode"
    hashes = dict(zip(MAGIC.values(), source.sources, strict=False))
    if entry.pyc.magic not in hashes:  # of no release that is known, or too long a source
        return "bytecode that cannot be compared with its source"
    return "" if entry.pyc.hash == hashes[entry.pyc.magic] else "stale bytecode"


def _uncompiled(subject: Subject, versions: set[str]) -> Iterator[Finding]:
    """Find modules of our own that every container compiles again: nobody may write beside them.

    What is started as a script (by its first line, with the right to execute it) is never
    taken from bytecode.
    """
    folders = tuple(f"{folder.strip('/')}/" for folder in ("app", subject.folder) if folder != "/")
    for entry in subject.contents() if versions else ():
        path = entry.path
        if not (path.endswith(".py") and path.startswith(folders)):
            continue
        if (entry.script and entry.mode & 0o111) or path + "c" in subject.files:
            continue
        folder, name = posixpath.split(path[:-3])
        tags = (f"cpython-{version.replace('.', '')}" for version in versions)
        cached = (posixpath.join(folder, "__pycache__", f"{name}.{tag}.pyc") for tag in tags)
        if not any(place in subject.files for place in cached):
            yield Finding(path, f"module without bytecode {quoted(path)}")


def cleaned_trees(subject: Subject) -> set[str]:
    """Return the trees that the reports of cleanups are about."""
    trees = set()
    for path in filter(REPORT.fullmatch, subject.files):
        try:
            trees.add(_report(subject, path)[0])
        except (ValueError, KeyError, TypeError, RecursionError):
            continue  # found by the rule `bytecode`
    return trees


def _report(subject: Subject, path: str) -> tuple[str, dict[str, Any]]:
    """Return which tree a report of a cleanup is about, and how many modules it left in it."""
    report = json.loads(subject.image.text(path) or "")
    tree = posixpath.normpath(str(report["tree"])).strip("/")
    if tree in ("", ".", ".."):  # would cover everything
        raise ValueError(tree)
    return tree, dict(report["compiled"])


def _differences(subject: Subject, tree: str, counts: dict[str, Any]) -> Iterator[str]:
    """Compare the modules of a cleaned tree with what the cleanup's own report says."""
    for mode, count in _count(subject, tree).items():
        if count != counts.get(mode):
            yield f"{count} modules {mode} in {quoted(tree)}, the cleanup left {counts.get(mode)}"


def _trees(subject: Subject) -> set[str]:
    """Return the folders that hold a standard library, or distributions."""
    matches = (TREE.fullmatch(entry.path) for entry in subject.contents())
    return {match[1] or match[2] for match in matches if match}


def _count(subject: Subject, tree: str) -> Counter[str]:
    """Return how many modules below `tree` have which form: source, cached, sourceless."""
    counts = Counter(source=0, cached=0, sourceless=0)
    below = [path for path in subject.files if path.startswith(tree + "/")]
    sources = {path for path in below if path.endswith(".py")}
    for path in (path for path in below if path.endswith(".pyc")):
        source, is_cached = source_of(path)
        if is_cached:
            counts["cached"] += 1
            sources.discard(source)
        else:
            counts["sourceless"] += 1
    counts["source"] = len(sources)
    return counts


RULES = (
    Rule(
        "bytecode",
        "bytecode is of the image's Python, none is stale or without its source, the modules "
        "have the form that the cleanup manifest gave them, and those in /app have bytecode",
        bytecode,
    ),
)
