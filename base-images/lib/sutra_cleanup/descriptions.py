"""Cut the long description, a README, off each distribution's METADATA.

An index shows it to people who choose packages; pydantic's is 140 kB. The fields above it stay:
name, version, licence and needs are what scanners and `importlib.metadata` read. So does a
description whose distribution brings no licence file: it may hold the licence's text. A `keep`
glob of a rule keeps that of a distribution.
"""

from __future__ import annotations

import email
import os
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path

from .trash import Trash
from .tree import Plan

CAUSE = "descriptions"
FILE = re.compile(r"(?:.*/)?[^/]+\.dist-info/METADATA", re.DOTALL)
LICENCE = re.compile(
    r"((?:.*/)?[^/]+\.dist-info)/(?:licenses/.+|(?:LICEN[CS]E|COPYING)[^/]*)", re.DOTALL
)
# the empty line between the fields and the description (core metadata 2.1)
_END = re.compile(rb"\r?\n(?=\r?\n)")


@dataclass(frozen=True)
class Described:
    """The number of descriptions that were cut off, and the bytes that this saved."""

    files: int = 0
    saved: int = 0


def drop(plan: Plan, trash: Trash) -> Described:
    """Cut the descriptions off."""
    licensed = {match[1] for entry in plan.staying if (match := LICENCE.fullmatch(entry.path))}
    files = saved = 0
    for entry in plan.staying:
        info = posixpath.dirname(entry.path)
        if entry.is_link or entry.kept is not None or info not in licensed:
            continue
        if not FILE.fullmatch(entry.path):
            continue
        before = Path(os.fspath(plan.tree), entry.path).read_bytes()
        after = fields(before)
        if after != before:
            trash.rewrite(CAUSE, entry.path, after)
            files, saved = files + 1, saved + len(before) - len(after)
    return Described(files, saved)


def fields(metadata: bytes) -> bytes:
    """Return METADATA without its description; as it is where its fields would not be the same."""
    end = _END.search(metadata)
    if not end or not metadata[end.end() :].strip():
        return metadata
    above = metadata[: end.end()]
    kept = email.message_from_bytes(above).items()
    same = kept and kept == email.message_from_bytes(metadata).items()
    return above if same else metadata
