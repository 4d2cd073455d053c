"""One entry of a layer, with the facts that judging it needs."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.image.elf import Elf


@dataclass(frozen=True, slots=True)
class Pyc:
    """The 16-byte header of a .pyc; `mtime` (seconds), `size` (bytes), `hash` are the source's."""

    magic: int
    kind: str  # "timestamp", "checked-hash" or "unchecked-hash"
    mtime: int = 0
    size: int = 0
    hash: str = ""  # as source_hash writes it; "" for a time stamp


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a layer. `size` is in bytes, of files only; `mtime` in seconds.

    `sources` are the hashes of a Python source, one a release of MAGIC, in its order;
    `sha1`, hexadecimal, is of a file with certificates, for Alpine's records have no other.
    """

    path: str  # "usr/bin/python3.13"; the root folder itself is "."
    kind: str  # file, folder, symlink, hardlink, device, fifo, whiteout or opaque
    size: int
    mode: int
    uid: int
    gid: int
    mtime: int
    link: str = ""
    digest: str = ""
    elf: Elf | None = None
    pyc: Pyc | None = None
    secrets: tuple[str, ...] = ()
    script: str = ""
    sources: tuple[str, ...] = ()
    sha1: str = ""
    capabilities: tuple[str, ...] = ()  # "setuid": what a program may do, whoever starts it
    marks: tuple[str, ...] = ()  # "shells:busybox": what it is by its bytes (known_content)
    licences: tuple[str, ...] = ()  # "GPL-2+": of a Debian package's copyright file
