"""The content of one layer: each entry of its tar stream with the facts that rules need."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Callable
from typing import Any

from scripts.image import file_facts, secret_scan
from scripts.image.entry import Entry
from scripts.image.kept_texts import MAX_ALIKE, MAX_TEXTS, has_name
from scripts.oci.tar_stream import entries

# a layer with more is refused, so that memory and work have an end; a whole Debian has 0.2 million
MAX_ENTRIES = 500_000
# bytes and folders of one path: Linux' PATH_MAX, and more than any package manager nests
MAX_PATH = 4096
MAX_DEPTH = 256
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
_KINDS = {
    tarfile.DIRTYPE: "folder",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
    tarfile.FIFOTYPE: "fifo",
}

Sink = Callable[[Entry, str | None], None]


def scan(stream: Any, sink: Sink | None = None) -> int:
    """Pass each entry of a tar stream, and its text where it is kept, to `sink`.

    Return the bytes of all regular files; links and folders have none of their
    own. Raises one of scripts.oci.tar_stream.DAMAGE, also for a path that leads outside.
    """
    total = texts = alike = 0
    budget = secret_scan.Budget()
    for number, (member, archive) in enumerate(entries(stream), 1):
        if number > MAX_ENTRIES:
            raise tarfile.ReadError(f"more than {MAX_ENTRIES} entries")
        total += member.size if member.isreg() else 0
        entry, text = _entry(member, archive, budget)
        if text and not has_name(entry.path):
            alike += len(text)
            text = text if alike <= MAX_ALIKE else None
        elif text:
            texts += len(text)
        if texts > MAX_TEXTS:
            raise tarfile.ReadError(f"package records of more than {MAX_TEXTS} bytes")
        if sink:
            sink(entry, text)
    return total


def inside(name: str) -> str:
    """Return `name` normalised, or raise ReadError when it leads outside the image.

    An absolute one, as kaniko writes it, begins at the image's root; ".." is taken as engines
    take it, by the text, but may not pass the root on the way.
    """
    # names are bytes; those that are not text are shown by escapes
    name = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    parts = name.split("/")
    if len(name) > MAX_PATH or len(parts) > MAX_DEPTH:
        raise tarfile.ReadError(f"path of {len(name)} characters in {len(parts)} parts")
    # each ".." that passes the root is left at the beginning
    path = posixpath.normpath(name.lstrip("/") or ".")
    if path.split("/", 1)[0] == ".." or "\0" in name or not name:
        raise tarfile.ReadError(f"path leads outside the image {_quoted(name)}")
    return path


def _quoted(name: str) -> str:
    shown = name if name.isprintable() else name.encode("unicode_escape").decode()
    return f'"{shown[:200]}"'


def _entry(
    member: tarfile.TarInfo, archive: tarfile.TarFile, budget: secret_scan.Budget
) -> tuple[Entry, str | None]:
    # tarfile takes the slash from the end of a folder's name: that of the root is then empty
    path = inside(member.name or ("/" if member.isdir() else ""))
    kind = "file" if member.isreg() else _KINDS.get(member.type, "")
    if not kind:
        raise tarfile.ReadError(f"entry of unknown type {member.type!r} {_quoted(path)}")
    facts, text = file_facts.read(path, member, archive, budget) if kind == "file" else ({}, None)
    folder, name = posixpath.split(path)
    if name == OPAQUE:
        kind, path = "opaque", folder or "."
    elif name.startswith(WHITEOUT):
        kind, path = "whiteout", posixpath.join(folder, inside(name.removeprefix(WHITEOUT)))
    link = member.linkname if kind in ("symlink", "hardlink") else ""
    return Entry(
        path,
        kind,
        member.size if kind == "file" else 0,
        member.mode & 0o7777,
        member.uid,
        member.gid,
        _seconds(member.mtime),
        inside(link) if kind == "hardlink" else _text_of(link),
        **facts,
    ), text


def _seconds(mtime: float) -> int:
    try:
        return int(mtime)
    except (ValueError, OverflowError):  # nan and inf, which PAX headers can spell
        raise tarfile.ReadError(f'time "{mtime}"') from None


def _text_of(link: str) -> str:
    return link.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
