"""Facts of one ELF file, as far as judging an image needs them.

Read here, not by pyelftools: it is written for well-formed files, and takes half of
the time that reading an image takes. Tests hold the one against the other.
Structures: https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from scripts.image import go_modules

MAGIC = b"\x7fELF"
UNREADABLE = "unreadable"
# the most bytes of one table, and of one name in it
MAX_TABLE = 16 << 20
MAX_NAME = 4096
MAX_TAGS = 10_000
# bytes of all names that one file's facts hold; LibreOffice's largest library has 2 kB
MAX_NAMES = 1 << 16
# bytes of a section's name that are read, enough to know it
SECTION_NAME = 16
_MACHINES = {
    3: "i386", 21: "ppc64", 22: "s390", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv",
    258: "loongarch",
}  # fmt: skip
_KINDS = {1: "REL", 2: "EXEC", 3: "DYN", 4: "CORE"}
# ELF class → formats of header (after the ident), program header, section header, dynamic tag
_FORMS = {
    1: ("HHIIIIIHHHHHH", "IIIIIIII", "IIIIIIIIII", "II"),
    2: ("HHIQQQIHHHHHH", "IIQQQQQQ", "IIQQQQIIQQ", "QQ"),
}
_LOAD, _DYNAMIC, _INTERP, _STACK = 1, 2, 3, 0x6474E551
_NEEDED, _STRTAB, _SONAME, _RPATH, _RUNPATH = 1, 5, 14, 15, 29
_TEXTREL, _FLAGS, _FLAGS_1, _VERDEF, _VERNEED = 22, 30, 0x6FFFFFFB, 0x6FFFFFFC, 0x6FFFFFFE
_EXECUTABLE, _HAS_TEXTREL, _IS_PIE = 1, 4, 0x08000000
# symbol versions: a definition and its name, what is needed of a library and each version of it
# (LSB, symversion.html); flags: the file's own name, and a version that may be missing
_DEFINED, _DEFINED_NAME, _WANTED, _WANTED_NAME = "HHHHIII", "II", "HHIII", "IHHII"
_BASE, _WEAK = 1, 2
# entries of both tables together; libstdc++ has 60
MAX_VERSIONS = 2000


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
    language: str = ""  # "rust" or "go", where the content shows it
    # libraries with the symbol versions that must be in each, and versions that it has itself
    wants: tuple[tuple[str, tuple[str, ...]], ...] = ()
    versions: tuple[str, ...] = ()
    # "pie" (a program), "executable stack", "text relocations", "relative search path"
    traits: tuple[str, ...] = ()
    # of a Go program: paths and versions
    modules: tuple[tuple[str, str], ...] = ()

    @property
    def is_program(self) -> bool:
        """Return whether it is started, not loaded: dynamic, static or position-independent."""
        return bool(self.interpreter) or self.kind == "EXEC" or "pie" in self.traits


@dataclass(frozen=True)
class _Segment:
    kind: int
    offset: int
    address: int
    size: int
    flags: int


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
        self._order, self._budget, self._names_left = order, MAX_VERSIONS, MAX_NAMES
        (self._kind, self._machine, _, _, self._segments_at, self._sections_at, _, _,
         _, self._segment_count, self._section_size, self._section_count,
         self._names_in) = head.unpack(self._at(16, head.size))  # fmt: skip

    def facts(self, language: str) -> Elf:
        segments = list(self._segments())
        interpreter = [self._name(one.offset) for one in segments if one.kind == _INTERP]
        numbers = self._tags(segments)
        tags: dict[int, list[str]] = {}
        texts = next((value for tag, value in numbers if tag == _STRTAB), None)
        at = None if texts is None else _in_file(segments, texts)
        for tag, value in numbers:
            if tag in (_NEEDED, _SONAME, _RPATH, _RUNPATH) and at is not None:
                tags.setdefault(tag, []).append(self._name(at + value))
        folders = (tags.get(_RPATH, []), tags.get(_RUNPATH, []))
        sections = dict(self._sections())
        modules = self._modules(sections)
        return Elf(
            _MACHINES.get(self._machine, f"machine {self._machine}"),
            _KINDS.get(self._kind, f"type {self._kind}"),
            "".join(interpreter),
            tuple(tags.get(_NEEDED, ())),
            "".join(tags.get(_SONAME, ())),
            _folders(folders[0]),
            _folders(folders[1]),
            not any(map(_is_debug, sections)),
            "go" if modules else language,
            tuple(self._wanted(dict(numbers), segments, at)),
            tuple(self._defined(dict(numbers), segments, at)),
            tuple(_traits(numbers, segments, folders)),
            modules,
        )

    def _modules(self, sections: dict[str, tuple[int, int]]) -> tuple[go_modules.Module, ...]:
        """Return the modules of a Go program; a section of another form has none."""
        if go_modules.SECTION not in sections:
            return ()
        place, size = sections[go_modules.SECTION]
        try:
            return go_modules.modules(self._at(place, min(size, go_modules.MAX_SECTION)))
        except ValueError:
            return ()

    def _wanted(
        self, tags: dict[int, int], segments: list[_Segment], texts: int | None
    ) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield libraries with the versions of their symbols that must be there."""
        if _VERNEED not in tags or texts is None:
            return
        for place, (_, count, file, first, _) in self._chain(
            _WANTED, _in_file(segments, tags[_VERNEED]), MAX_VERSIONS
        ):
            names = self._chain(_WANTED_NAME, place + first, count)
            versions = [self._name(texts + name) for _, (_, flags, _, name, _) in names
                        if not flags & _WEAK]  # fmt: skip
            yield self._name(texts + file), tuple(versions)

    def _defined(
        self, tags: dict[int, int], segments: list[_Segment], texts: int | None
    ) -> Iterator[str]:
        """Yield the versions that the file has symbols of."""
        if _VERDEF not in tags or texts is None:
            return
        for place, (_, flags, _, _, _, first, _) in self._chain(
            _DEFINED, _in_file(segments, tags[_VERDEF]), MAX_VERSIONS
        ):
            if not flags & _BASE:
                for _, (name, _) in self._chain(_DEFINED_NAME, place + first, 1):
                    yield self._name(texts + name)

    def _chain(self, form: str, place: int, most: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield entries that end with how far the next one is, each with its place."""
        entry = struct.Struct(self._order + form)
        for _ in range(most):
            self._budget -= 1
            if self._budget < 0:
                raise ValueError("too many versions")
            fields = entry.unpack(self._at(place, entry.size))
            yield place, fields
            if not fields[-1]:
                return
            place += fields[-1]

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
        self._names_left -= len(text)
        if self._names_left < 0:
            raise ValueError("names too long")
        return text.decode("utf-8", "backslashreplace")

    def _segments(self) -> Iterator[_Segment]:
        form = self._forms[0]
        table = self._at(self._segments_at, form.size * self._segment_count)
        for fields in form.iter_unpack(table):
            # the flags stand second in a 64-bit file, last but one in a 32-bit one
            wide = form.size == 56
            offset, address, _, size = fields[2:6] if wide else fields[1:5]
            yield _Segment(fields[0], offset, address, size, fields[1] if wide else fields[6])

    def _tags(self, segments: list[_Segment]) -> list[tuple[int, int]]:
        """Return the entries of the dynamic section: tags and their values."""
        found: list[tuple[int, int]] = []
        for segment in segments:
            if segment.kind == _DYNAMIC:
                size, left = self._forms[2].size, MAX_TAGS - len(found)
                table = self._at(segment.offset, min(segment.size, left * size) // size * size)
                found.extend(_until_null(self._forms[2].iter_unpack(table)))
                if len(found) >= MAX_TAGS:
                    break
        return found

    def _sections(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Yield the sections by name, each with its place in the file and its size."""
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
            name = names[section[0] : section[0] + SECTION_NAME].partition(b"\0")[0]
            yield name.decode("ascii", "replace"), (section[4], section[5])


def _until_null(tags: Iterator[tuple[Any, ...]]) -> Iterator[tuple[int, int]]:
    for tag, value in tags:
        if tag == 0:
            return
        yield tag, value


def _in_file(segments: list[_Segment], address: int) -> int:
    """Return the file offset of what is loaded at `address`."""
    for one in segments:
        if one.kind == _LOAD and one.address <= address < one.address + one.size:
            return one.offset + address - one.address
    raise ValueError("address in no segment")


def _folders(values: list[str]) -> tuple[str, ...]:
    return tuple(filter(None, ":".join(values).split(":")))


def _traits(
    tags: list[tuple[int, int]], segments: list[_Segment], folders: Iterable[list[str]]
) -> Iterator[str]:
    """Yield what Elf.traits says of a file."""
    flags = {tag: value for tag, value in tags if tag in (_FLAGS, _FLAGS_1)}
    if flags.get(_FLAGS_1, 0) & _IS_PIE:
        yield "pie"
    if any(one.kind == _STACK and one.flags & _EXECUTABLE for one in segments):
        yield "executable stack"
    if any(tag == _TEXTREL for tag, _ in tags) or flags.get(_FLAGS, 0) & _HAS_TEXTREL:
        yield "text relocations"
    # an empty part is the folder in which the program happens to run
    if any("" in text.split(":") for texts in folders for text in texts if text):
        yield "relative search path"


def _is_debug(name: str) -> bool:
    return name == ".symtab" or name.startswith((".debug_", ".zdebug_"))
