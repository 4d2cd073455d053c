"""The facts of one regular file's content, read once from its first byte to its last."""

from __future__ import annotations

import hashlib
import io
import struct
import tarfile
import tempfile
from collections.abc import Callable
from typing import Any

from scripts.image import capabilities, copyright_file, elf, known_content, secret_scan
from scripts.image.elf import Elf
from scripts.image.entry import Pyc
from scripts.image.kept_texts import MAX_TEXT, has_name, looks_alike
from scripts.image.pyc import MAGIC, source_hash
from scripts.image.secret_scan import Watch
from scripts.oci.compression import BLOCK
from scripts.oci.tar_stream import content

# an ELF file is held in memory up to here, in a temporary file up to MAX_ELF
MAX_MEMORY = 32 << 20
MAX_ELF = 1 << 30
MAX_SCRIPT = 256
# largest Python source that is hashed, in memory; CPython's longest has 0.3 MB
MAX_SOURCE = 16 << 20
RUST = f"{known_content.LANGUAGE}:rust"


def read(
    path: str, member: tarfile.TarInfo, archive: tarfile.TarFile, budget: secret_scan.Budget
) -> tuple[dict[str, Any], str | None]:
    """Return the facts of a regular file by Entry's names, and its text where it is kept."""
    file = content(member, archive)
    is_kept = has_name(path) and member.size <= MAX_TEXT
    is_source = path.endswith(".py") and member.size <= MAX_SOURCE
    head = file.read(MAX_SOURCE if is_source else MAX_TEXT if is_kept else BLOCK)
    is_kept = is_kept or (len(head) == member.size and looks_alike(head))
    secrets = secret_scan.find(path, head, budget)
    # for the most part the head is all there is
    after = file if member.size > len(head) else io.BytesIO()
    after_head = Watch(after, head, path, budget)
    facts = _of_bytes(path, head, after_head, member.size)
    facts["secrets"] = after_head.kinds(secrets)
    if any(kind.startswith(secret_scan.CERTIFICATE) for kind in facts["secrets"]):
        # one that is longer than its head is nobody's bundle
        is_whole = member.size == len(head)
        facts["sha1"] = hashlib.sha1(head, usedforsecurity=False).hexdigest() if is_whole else ""
    if member.pax_headers and (held := capabilities.of(member.pax_headers)):
        facts["capabilities"] = held
    facts |= _of_python(path, head, is_source)
    # one that is longer than its head is not read: names could be missing
    if copyright_file.has_name(path) and member.size == len(head):
        facts["licences"] = copyright_file.licences(head)
    if head.startswith(b"#!"):
        facts["script"] = first_line(head)
    return facts, head.decode("utf-8", "backslashreplace") if is_kept else None


def _of_bytes(path: str, head: bytes, after_head: Watch, size: int) -> dict[str, Any]:
    """Read a file to its end; return its digest, what an ELF file is, and its marks."""
    facts: dict[str, Any] = {}
    marks = set[str]()
    if head.startswith(elf.MAGIC):
        facts["digest"], facts["elf"], marks = _read_elf(head, after_head, size)
    elif known_content.is_zip(head):
        end = _End()
        facts["digest"] = _read_rest(head, after_head, end)
        marks.update(known_content.of_zip(end.bytes))
    else:
        facts["digest"] = _read_rest(head, after_head)
        marks.update(known_content.of_beginning(head))
    if path.endswith(".py"):
        marks.update(known_content.of_blob(head))
    if marks:
        facts["marks"] = tuple(sorted(marks))
    return facts


def _of_python(path: str, head: bytes, is_source: bool) -> dict[str, Any]:
    """Return what bytecode says of its source, or the hashes of a source."""
    facts: dict[str, Any] = {}
    if path.endswith(".pyc"):
        facts["pyc"] = pyc(head)
    if is_source:
        facts["sources"] = tuple(source_hash(magic, head) for magic in MAGIC.values())
    return facts


def first_line(head: bytes) -> str:
    """Return what follows "#!", without blanks around it; "" where Linux takes it for none.

    A carriage return is a part of it. Of a line that is longer than Linux reads, the name
    of the interpreter must be whole.
    """
    line, end, _ = head[2:MAX_SCRIPT].partition(b"\n")
    text = line.decode("utf-8", "backslashreplace").strip(" \t\0")
    is_whole = end or len(head) < MAX_SCRIPT or " " in text or "\t" in text
    return text if is_whole else ""


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
    """The end of a file: at most ZIP_END bytes and a block."""

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
