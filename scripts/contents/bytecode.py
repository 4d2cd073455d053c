"""Bytecode: as the cleanup manifest said, of the image's Python, and none stale."""

from __future__ import annotations

import json
import posixpath
import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from scripts.contents.rule import Finding, Rule, Subject, quoted
from scripts.magic import MAGIC

if TYPE_CHECKING:
    from scripts.inventory import Entry

REPORT = re.compile(r"usr/share/sutra/[^/]+\.json")
PYTHON = re.compile(r"(?:.*/)?bin/python(3\.\d+)", re.DOTALL)
CACHED = re.compile(r"(.*?)([^/]+)/__pycache__", re.DOTALL)
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
        found[1]
        for path, entry in subject.files.items()
        if entry.kind == "file" and (found := PYTHON.fullmatch(path))
    }
    compiled = [entry for entry in subject.contents() if entry.path.endswith(".pyc")]
    wanted = {MAGIC[version] for version in versions & MAGIC.keys()}
    for entry in compiled:
        if problem := _problem(subject, entry, wanted):
            yield Finding(entry.path, f"{problem} {quoted(entry.path)}")
    for path in filter(REPORT.fullmatch, subject.files):
        yield from _as_reported(subject, path)


def _problem(subject: Subject, entry: Entry, wanted: set[int]) -> str:
    if entry.pyc is None:
        return "bytecode without a header"
    if wanted and entry.pyc.magic not in wanted:
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


def _as_reported(subject: Subject, path: str) -> Iterator[Finding]:
    """Compare the modules of a cleaned tree with what the cleanup's own report says."""
    try:
        report = json.loads(subject.image.text(path) or "")
        tree, compiled = str(report["tree"]).strip("/"), dict(report["compiled"])
    except (ValueError, KeyError, TypeError, RecursionError):
        yield Finding(path, f"report of a cleanup cannot be read {quoted(path)}")
        return
    for mode, found in _count(subject, tree).items():
        said: Any = compiled.get(mode)
        if found != said:
            text = f"{found} modules {mode} in {quoted(tree)}, the cleanup left {said}"
            yield Finding(path, text)


def _count(subject: Subject, tree: str) -> Counter[str]:
    """Return how many modules below `tree` have which form: source, cached, sourceless."""
    found = Counter(source=0, cached=0, sourceless=0)
    below = [path for path in subject.files if path.startswith(tree + "/")]
    sources = {path for path in below if path.endswith(".py")}
    for path in (path for path in below if path.endswith(".pyc")):
        source, is_cached = source_of(path)
        if is_cached:
            found["cached"] += 1
            sources.discard(source)
        else:
            found["sourceless"] += 1
    found["source"] = len(sources)
    return found


RULES = (
    Rule(
        "bytecode",
        "bytecode is of the image's Python, none is stale or without its source, and the "
        "modules have the form that the cleanup manifest gave them",
        bytecode,
    ),
)
