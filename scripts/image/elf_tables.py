"""The tables of one ELF file as they are in it: segments, sections, dynamic tags, names.

What is asked of a damaged or hostile file is bounded: bytes of a table, tags, names, versions.
Structures: https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

# the most bytes of one table, and of one name in it
MAX_TABLE = 16 << 20
MAX_NAME = 4096
MAX_TAGS = 10_000
# bytes of all names that one file's facts hold; LibreOffice's largest library has 2 kB
MAX_NAMES = 1 << 16
# bytes of a section's name that are read, enough to know it
SECTION_NAME = 16
# entries of the tables of symbol versions together; libstdc++ has 60
MAX_VERSIONS = 2000
# ELF class → formats of header (after the ident), program header, section header, dynamic tag
_FORMS = {
    1: ("HHIIIIIHHHHHH", "IIIIIIII", "IIIIIIIIII", "II"),
    2: ("HHIQQQIHHHHHH", "IIQQQQQQ", "IIQQQQIIQQ", "QQ"),
}
LOAD, DYNAMIC, INTERP, STACK = 1, 2, 3, 0x6474E551


@dataclass(frozen=True)
class Segment:
    """One program header: where a part of the file is loaded, and what for."""

    kind: int
    offset: int
    address: int
    size: int
    flags: int


class Tables:
    """One file with its header; raises ValueError or the like where it is damaged."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        ident = self.at(0, 16)
        forms = _FORMS[ident[4]]
        order = {1: "<", 2: ">"}[ident[5]]
        head, *self._forms = (struct.Struct(order + form) for form in forms)
        self._order, self._budget, self._names_left = order, MAX_VERSIONS, MAX_NAMES
        (self.kind, self.machine, _, _, self._segments_at, self._sections_at, _, _,
         _, self._segment_count, self._section_size, self._section_count,
         self._names_in) = head.unpack(self.at(16, head.size))  # fmt: skip # the header's order

    def chain(self, form: str, place: int, most: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield entries that end with how far the next one is, each with its place."""
        entry = struct.Struct(self._order + form)
        for _ in range(most):
            self._budget -= 1
            if self._budget < 0:
                raise ValueError("too many versions")
            fields = entry.unpack(self.at(place, entry.size))
            yield place, fields
            if not fields[-1]:
                return
            place += fields[-1]

    def at(self, offset: int, size: int) -> bytes:
        """Return exactly `size` bytes."""
        if size > MAX_TABLE:
            raise ValueError("table too large")
        self._file.seek(offset)
        data = self._file.read(size)
        if len(data) < size:
            raise ValueError("cut off")
        return data

    def name(self, offset: int) -> str:
        """Return the text at `offset`, which ends with a NUL."""
        self._file.seek(offset)
        text, end, _ = self._file.read(MAX_NAME).partition(b"\0")
        if not end:
            raise ValueError("name without end")
        self._names_left -= len(text)
        if self._names_left < 0:
            raise ValueError("names too long")
        return text.decode("utf-8", "backslashreplace")

    def segments(self) -> Iterator[Segment]:
        """Yield the program headers."""
        form = self._forms[0]
        table = self.at(self._segments_at, form.size * self._segment_count)
        for fields in form.iter_unpack(table):
            # the flags stand second in a 64-bit file, last but one in a 32-bit one
            wide = form.size == 56
            offset, address, _, size = fields[2:6] if wide else fields[1:5]
            yield Segment(fields[0], offset, address, size, fields[1] if wide else fields[6])

    def tags(self, segments: list[Segment]) -> list[tuple[int, int]]:
        """Return the entries of the dynamic section: tags and their values."""
        tags_read: list[tuple[int, int]] = []
        for segment in segments:
            if segment.kind == DYNAMIC:
                size, tags_left = self._forms[2].size, MAX_TAGS - len(tags_read)
                table = self.at(segment.offset, min(segment.size, tags_left * size) // size * size)
                tags_read.extend(_until_null(self._forms[2].iter_unpack(table)))
                if len(tags_read) >= MAX_TAGS:
                    break
        return tags_read

    def sections(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Yield the sections by name, each with its place in the file and its size."""
        if not self._sections_at:
            return
        form = self._forms[1]
        first = form.unpack(self.at(self._sections_at, form.size))
        # more than 16 bits hold stand in the first, otherwise empty section
        count = self._section_count or first[5]
        names_in = first[6] if self._names_in == 0xFFFF else self._names_in
        if self._section_size != form.size or names_in >= count:
            raise ValueError("section headers of another form")
        sections = list(form.iter_unpack(self.at(self._sections_at, count * form.size)))
        names = self.at(sections[names_in][4], sections[names_in][5])
        for section in sections:
            name = names[section[0] : section[0] + SECTION_NAME].partition(b"\0")[0]
            yield name.decode("ascii", "replace"), (section[4], section[5])


def _until_null(tags: Iterator[tuple[Any, ...]]) -> Iterator[tuple[int, int]]:
    for tag, value in tags:
        if tag == 0:
            return
        yield tag, value


def in_file(segments: list[Segment], address: int) -> int:
    """Return the file offset of what is loaded at `address`."""
    for segment in segments:
        if segment.kind == LOAD and segment.address <= address < segment.address + segment.size:
            return segment.offset + address - segment.address
    raise ValueError("address in no segment")
