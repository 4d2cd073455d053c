"""Update each distribution's RECORD to match the files that the cleanup changed.

A RECORD (PEP 376, PEP 627) names each file with its hash and size. Scanners and, since
Python 3.12, `importlib.metadata` trust only recorded files that exist: if sources became
bytecode and the record still named them, a distribution would seem to have no modules.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib.util
import io
import os
import posixpath
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .record_file import read, rows
from .trash import Trash
from .tree import METADATA, Plan

CAUSE = "record"
# lines that stay although a rule removed the file: a verifier finds missing licences by them
LICENCE = re.compile(r"(?:LICEN[CS]E|COPYING|NOTICE|AUTHORS)[^/]*|.*/licenses/.+", re.IGNORECASE)
# last version whose importlib.metadata finds a distribution's modules only by their sources
BY_SOURCE = (3, 11)


@dataclass(frozen=True)
class Recorded:
    """Number of records that were rewritten, and the bytes that this saved."""

    files: int = 0
    saved: int = 0


@dataclass
class _Changes:
    """Fate of changed files: path in the tree → paths that replace it; bytecode by its source."""

    replaced: dict[str, tuple[str, ...]] = field(default_factory=dict)
    cached: dict[str, str] = field(default_factory=dict)


def rewrite(plan: Plan, trash: Trash) -> Recorded:
    """Rewrite each record that names a changed file; return how many there were."""
    changes, root = _changes(trash), os.fspath(plan.tree)
    files = saved = 0
    for entry in plan.staying:
        info, _, name = entry.path.rpartition("/")
        if entry.is_link or not METADATA.fullmatch(posixpath.basename(info)):
            continue
        if name == "RECORD":
            before, after = _record(root, entry.path, changes)
            _declare_modules(trash, root, info, after)
        elif name == "installed-files.txt":
            before, after = _installed_files(root, entry.path, changes)
        else:
            continue
        if before != after:
            trash.rewrite(CAUSE, entry.path, after.encode("utf-8", "surrogateescape"))
            files, saved = files + 1, saved + len(before) - len(after)
    return Recorded(files, saved)


def _changes(trash: Trash) -> _Changes:
    """Follow every change in order: a library may be stripped, and then become a link."""
    changes = _Changes()
    for number in trash.standing():
        change = trash.changes[number]
        if change.path:
            changes.replaced[change.path] = change.added
        for path in change.added if not change.path else ():
            changes.cached[importlib.util.source_from_cache(path)] = path
    return changes


def _record(root: str, path: str, changes: _Changes) -> tuple[str, str]:
    """Return a RECORD's present text and its corrected one."""
    site = posixpath.dirname(posixpath.dirname(path))
    before = read(Path(root, path))
    table = rows(before)
    new = [row for row in table for row in _rows(root, site, row, changes)]
    if new == table:
        return before, before
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(new)
    return before, out.getvalue()


def _rows(root: str, site: str, row: list[str], changes: _Changes) -> Iterator[list[str]]:
    """Yield the rows that replace one row."""
    place = posixpath.normpath(posixpath.join(site, row[0]))
    replacements = changes.replaced.get(place)
    if replacements is None or (not replacements and LICENCE.fullmatch(row[0])):
        yield row
    elif place not in changes.cached.values():
        for replacement in replacements:
            yield [
                posixpath.relpath(replacement, site or "."),
                *_hash_and_size(f"{root}/{replacement}"),
            ]
    if place in changes.cached:
        yield [posixpath.relpath(changes.cached[place], site or "."), "", ""]


def _hash_and_size(full: str) -> tuple[str, str]:
    with open(full, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
        size = os.fstat(file.fileno()).st_size
    return f"sha256={base64.urlsafe_b64encode(digest).decode().rstrip('=')}", str(size)


def _installed_files(root: str, path: str, changes: _Changes) -> tuple[str, str]:
    """Return the present and the corrected text of an egg-info's list; paths are relative to it."""
    info = posixpath.dirname(path)
    before = read(Path(root, path))
    new = []
    for line in before.splitlines():
        place = posixpath.normpath(posixpath.join(info, line))
        replacements = changes.replaced.get(place, (place,))
        new += (
            [line]
            if replacements == (place,)
            else [posixpath.relpath(path, info) for path in replacements]
        )
    return before, before if new == before.splitlines() else "".join(f"{x}\n" for x in new)


def _declare_modules(trash: Trash, root: str, info: str, record: str) -> None:
    """Add top_level.txt if this Python would find no module of a distribution without it."""
    if sys.version_info[:2] > BY_SOURCE or os.path.lexists(f"{root}/{info}/top_level.txt"):
        return
    names = [row[0] for row in rows(record)]
    if any(name.endswith(".py") for name in names):
        return
    tops = {n.partition("/")[0].removesuffix(".pyc") for n in names if n.endswith(".pyc")}
    if tops := {top for top in tops if top.isidentifier() and top != "__pycache__"}:
        ready = trash.spare(f"{CAUSE}-{len(trash.changes)}")
        Path(ready).write_text("".join(f"{top}\n" for top in sorted(tops)))
        trash.add(CAUSE, f"{info}/top_level.txt", ready)
