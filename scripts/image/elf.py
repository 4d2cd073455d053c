"""Facts of one ELF file, as far as judging an image needs them.

Read here, not by pyelftools: it is written for well-formed files, and takes half of
the time that reading an image takes. Tests hold the one against the other.
Structures: https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

MAGIC = b"\x7fELF"
UNREADABLE = "unreadable"
# paths of the standard library's sources, which panics carry, whatever is stripped
RUST = b"library/core/src/"
# the most bytes of one table, and of one name in it
MAX_TABLE = 16 << 20
MAX_NAME = 4096
MAX_TAGS = 10_000
_MACHINES = {
    3: "i386", 21: "ppc64", 22: "s390", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv",
    258: "loongarch",
}  # fmt: skip
_KINDS = {1: "REL", 2: "EXEC", 3: "DYN", 4: "CORE"}
# by class: header after the ident, program header, section header, dynamic tag
_FORMS = {
    1: ("HHIIIIIHHHHHH", "IIIIIIII", "IIIIIIIIII", "II"),
    2: ("HHIQQQIHHHHHH", "IIQQQQQQ", "IIQQQQIIQQ", "QQ"),
}
_LOAD, _DYNAMIC, _INTERP = 1, 2, 3
_NEEDED, _STRTAB, _SONAME, _RPATH, _RUNPATH = 1, 5, 14, 15, 29


@dataclass(frozen=True, slots=True)
class Elf:
    """What the headers and the dynamic section say; `kind` is UNREADABLE for a damaged file."""

    machine: str  # "x86_64", "aarch64"
    kind: str  # "EXEC", "DYN", "REL", "CORE", or UNREADABLE
    interpreter: str = ""  # "/lib64/ld-linux-x86-64.so.2" or ""
    needed: tuple[str, ...] = ()
    soname: str = ""
    rpath: tuple[str, ...] = ()  # as in the file, $ORIGIN not yet expanded
    runpath: tuple[str, ...] = ()
    stripped: bool = True  # no .symtab and no .debug_*
    language: str = ""  # "rust", where the content shows it


@dataclass(frozen=True)
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


def facts(file: IO[bytes], language: str = "") -> Elf:
    """Return the facts of a seekable file that begins with MAGIC, which may be hostile."""
    try:
        return _Reader(file).facts(language)
    except (struct.error, KeyError, ValueError, OverflowError, OSError):
        return Elf("", UNREADABLE, language=language)


class _Reader:
    """One file with its header; raises ValueError or the like where it is damaged."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        ident = self._at(0, 16)
        forms = _FORMS[ident[4]]
        order = {1: "<", 2: ">"}[ident[5]]
        head, *self._forms = (struct.Struct(order + form) for form in forms)
        (self._kind, self._machine, _, _, self._segments_at, self._sections_at, _, _,
         _, self._segment_count, self._section_size, self._section_count,
         self._names_in) = head.unpack(self._at(16, head.size))  # fmt: skip

    def facts(self, language: str) -> Elf:
        segments = list(self._segments())
        interpreter = [self._name(one.offset) for one in segments if one.kind == _INTERP]
        tags: dict[int, list[str]] = {}
        for tag, text in self._tags(segments):
            tags.setdefault(tag, []).append(text)
        return Elf(
            _MACHINES.get(self._machine, f"machine {self._machine}"),
            _KINDS.get(self._kind, f"type {self._kind}"),
            "".join(interpreter),
            tuple(tags.get(_NEEDED, ())),
            "".join(tags.get(_SONAME, ())),
            _folders(tags.get(_RPATH, [])),
            _folders(tags.get(_RUNPATH, [])),
            not any(map(_is_debug, self._section_names())),
            language,
        )

    def _at(self, offset: int, size: int) -> bytes:
        """Return exactly `size` bytes."""
        if size > MAX_TABLE:
            raise ValueError("table too large")
        self._file.seek(offset)
        data = self._file.read(size)
        if len(data) < size:
            raise ValueError("cut off")
        return data

    def _name(self, offset: int) -> str:
        """Return the text at `offset`, which ends with a NUL."""
        self._file.seek(offset)
        text, end, _ = self._file.read(MAX_NAME).partition(b"\0")
        if not end:
            raise ValueError("name without end")
        return text.decode("utf-8", "backslashreplace")

    def _segments(self) -> Iterator[_Segment]:
        form = self._forms[0]
        table = self._at(self._segments_at, form.size * self._segment_count)
        for fields in form.iter_unpack(table):
            # the flags stand second in a 64-bit file, last but one in a 32-bit one
            offset, address, _, size = fields[2:6] if form.size == 56 else fields[1:5]
            yield _Segment(fields[0], offset, address, size)

    def _tags(self, segments: list[_Segment]) -> Iterator[tuple[int, str]]:
        """Yield the tags whose value is a text."""
        for segment in segments:
            if segment.kind == _DYNAMIC:
                size = self._forms[2].size
                table = self._at(segment.offset, min(segment.size, MAX_TAGS * size) // size * size)
                tags = list(_until_null(self._forms[2].iter_unpack(table)))
                texts = next((value for tag, value in tags if tag == _STRTAB), None)
                for tag, value in tags:
                    if tag in (_NEEDED, _SONAME, _RPATH, _RUNPATH) and texts is not None:
                        yield tag, self._name(_in_file(segments, texts) + value)

    def _section_names(self) -> Iterator[str]:
        if not self._sections_at:
            return
        form = self._forms[1]
        first = form.unpack(self._at(self._sections_at, form.size))
        # more than 16 bits hold stand in the first, otherwise empty section
        count = self._section_count or first[5]
        names_in = first[6] if self._names_in == 0xFFFF else self._names_in
        if self._section_size != form.size or names_in >= count:
            raise ValueError("section headers of another form")
        sections = list(form.iter_unpack(self._at(self._sections_at, count * form.size)))
        names = self._at(sections[names_in][4], sections[names_in][5])
        for section in sections:
            yield names[section[0] : names.find(b"\0", section[0])].decode("ascii", "replace")


def _until_null(tags: Iterator[tuple[Any, ...]]) -> Iterator[tuple[int, int]]:
    for tag, value in tags:
        if tag == 0:
            return
        yield tag, value


def _in_file(segments: list[_Segment], address: int) -> int:
    """Return where in the file stands what is loaded at `address`."""
    for one in segments:
        if one.kind == _LOAD and one.address <= address < one.address + one.size:
            return one.offset + address - one.address
    raise ValueError("address in no segment")


def _folders(values: list[str]) -> tuple[str, ...]:
    return tuple(filter(None, ":".join(values).split(":")))


def _is_debug(name: str) -> bool:
    return name == ".symtab" or name.startswith((".debug_", ".zdebug_"))
