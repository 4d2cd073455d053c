"""Replace byte-identical vendored libraries by links to one of them."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from dataclasses import dataclass

from .elf import is_elf
from .trash import Trash
from .tree import Plan


@dataclass(frozen=True)
class Deduped:
    """The number of libraries that became links, and the bytes that this saved."""

    files: int = 0
    saved: int = 0


def dedupe(plan: Plan, trash: Trash) -> Deduped:
    """Replace each library that another equals, byte by byte, by a relative link to it."""
    tree = os.fspath(plan.tree)
    by_size: dict[int, list[str]] = defaultdict(list)
    for entry in plan.staying:
        full = f"{tree}/{entry.path}"
        if not entry.is_link and ".so" in entry.path and is_elf(full):
            by_size[os.path.getsize(full)].append(entry.path)
    files = saved = 0
    for size, paths in by_size.items():
        first: dict[str, str] = {}
        for path in paths if len(paths) > 1 else []:
            original = first.setdefault(_digest(f"{tree}/{path}"), path)
            if original != path:
                trash.move("dedupe", path, added=(path,))
                os.symlink(
                    os.path.relpath(original, os.path.dirname(path) or "."), f"{tree}/{path}"
                )
                files, saved = files + 1, saved + size
    return Deduped(files, saved)


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
