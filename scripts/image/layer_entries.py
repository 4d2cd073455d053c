"""What one layer holds: each entry of its tar stream with the facts that judging needs."""

from __future__ import annotations

import hashlib
import io
import posixpath
import struct
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scripts.image import capabilities, elf, known_content, secret_scan
from scripts.image.elf import Elf
from scripts.image.kept_texts import MAX_ALIKE, MAX_TEXT, MAX_TEXTS, has_name, looks_alike
from scripts.image.pyc import MAGIC, source_hash
from scripts.image.secret_scan import Watch
from scripts.oci.tar_stream import BLOCK, content, entries

# a layer with more is refused, so that memory and work have an end; a whole Debian has 0.2 million
MAX_ENTRIES = 500_000
# bytes and folders of one path: Linux' PATH_MAX, and more than any package manager nests
MAX_PATH = 4096
MAX_DEPTH = 256
# an ELF file is held in memory up to here, in a temporary file up to MAX_ELF
MAX_MEMORY = 32 << 20
MAX_ELF = 1 << 30
MAX_SCRIPT = 256
# largest Python source that is hashed, in memory; CPython's longest has 0.3 MB
MAX_SOURCE = 16 << 20
RUST = f"{known_content.LANGUAGE}:rust"
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

    An absolute one, as kaniko writes it, begins at the image's root.
    """
    # names are bytes; what is no text is shown by its escapes
    name = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    parts = name.split("/")
    if ".." in parts or "\0" in name or not name:
        raise tarfile.ReadError(f"path leads outside the image {_quoted(name)}")
    if len(name) > MAX_PATH or len(parts) > MAX_DEPTH:
        raise tarfile.ReadError(f"path of {len(name)} characters in {len(parts)} parts")
    return posixpath.normpath(name.lstrip("/") or ".")


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
    found, text = _content(path, member, archive, budget) if kind == "file" else ({}, None)
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
        **found,
    ), text


def _seconds(mtime: float) -> int:
    try:
        return int(mtime)
    except (ValueError, OverflowError):  # nan and inf, which PAX headers can spell
        raise tarfile.ReadError(f'time "{mtime}"') from None


def _text_of(link: str) -> str:
    return link.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _content(
    path: str, member: tarfile.TarInfo, archive: tarfile.TarFile, budget: secret_scan.Budget
) -> tuple[dict[str, Any], str | None]:
    """Return the facts of a regular file's content, and its text where it is kept."""
    file = content(member, archive)
    wanted = has_name(path) and member.size <= MAX_TEXT
    source = path.endswith(".py") and member.size <= MAX_SOURCE
    head = file.read(MAX_SOURCE if source else MAX_TEXT if wanted else BLOCK)
    wanted = wanted or (len(head) == member.size and looks_alike(head))
    found: dict[str, Any] = {"secrets": secret_scan.find(path, head, budget)}
    if member.pax_headers and (held := capabilities.of(member.pax_headers)):
        found["capabilities"] = held
    # for the most part the head is all there is
    after = file if member.size > len(head) else io.BytesIO()
    rest = secret_scan.Watch(after, head, path, budget)
    marks = set[str]()
    if head.startswith(elf.MAGIC):
        found["digest"], found["elf"], marks = _read_elf(head, rest, member.size)
    elif known_content.is_zip(head):
        end = _End()
        found["digest"] = _read_rest(head, rest, end)
        marks.update(known_content.of_zip(end.bytes))
    else:
        found["digest"] = _read_rest(head, rest)
        marks.update(known_content.of_beginning(head))
    if path.endswith(".py"):
        marks.update(known_content.of_blob(head))
    if marks:
        found["marks"] = tuple(sorted(marks))
    found["secrets"] = rest.kinds(found["secrets"])
    if any(kind.startswith(secret_scan.CERTIFICATE) for kind in found["secrets"]):
        # one that is longer than its head is nobody's bundle
        whole = member.size == len(head)
        found["sha1"] = hashlib.sha1(head, usedforsecurity=False).hexdigest() if whole else ""
    if path.endswith(".pyc"):
        found["pyc"] = pyc(head)
    if source:
        found["sources"] = tuple(source_hash(magic, head) for magic in MAGIC.values())
    if head.startswith(b"#!"):
        found["script"] = first_line(head)
    return found, head.decode("utf-8", "backslashreplace") if wanted else None


def first_line(head: bytes) -> str:
    """Return what follows "#!", without blanks around it; "" where Linux takes it for none.

    A carriage return is a part of it. Of a line that is longer than Linux reads, the name
    of the interpreter must be whole.
    """
    line, end, _ = head[2:MAX_SCRIPT].partition(b"\n")
    text = line.decode("utf-8", "backslashreplace").strip(" \t\0")
    whole = end or len(head) < MAX_SCRIPT or " " in text or "\t" in text
    return text if whole else ""


def _read_rest(head: bytes, file: Watch, keep: Callable[[bytes], Any] | None = None) -> str:
    """Return the digest of `head` and what follows it in `file`; `keep` gets every block."""
    digest = hashlib.sha256()
    while head:
        digest.update(head)
        if keep:
            keep(head)
        head = file.read(BLOCK)
    return f"sha256:{digest.hexdigest()}"


class _End:
    """What a file ends with, at most ZIP_END bytes and a block of it."""

    def __init__(self) -> None:
        self.bytes = b""

    def __call__(self, block: bytes) -> None:
        self.bytes = self.bytes[-known_content.ZIP_END :] + block


def _read_elf(head: bytes, file: Watch, size: int) -> tuple[str, Elf, set[str]]:
    """Return the digest, the facts and the marks of an ELF file: it wants to be read twice."""
    program = known_content.Program()
    if size > MAX_ELF:
        return _read_rest(head, file, program.see), Elf("", elf.UNREADABLE), set()
    with tempfile.SpooledTemporaryFile(MAX_MEMORY) as copy:

        def keep(block: bytes) -> None:
            program.see(block)
            copy.write(block)

        digest = _read_rest(head, file, keep)
        copy.seek(0)
        texts = program.marks()
        language = "rust" if RUST in texts else ""
        facts = elf.facts(copy, language)
        # a library may hold a text that is only about a program
        return digest, facts, texts - {RUST} if facts.is_program else set()


def pyc(head: bytes) -> Pyc | None:
    """Return what the first 16 bytes of a .pyc say (PEP 552), or None for fewer."""
    if len(head) < 16:
        return None
    magic, flags, mtime, size = struct.unpack("<H2xLLL", head[:16])
    if flags & 1:
        kind = "checked-hash" if flags & 2 else "unchecked-hash"
        return Pyc(magic, kind, hash=head[8:16].hex())
    return Pyc(magic, "timestamp", mtime, size)
