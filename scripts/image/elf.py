"""Read the facts of one ELF file that judging an image needs.

Read here, not by pyelftools: it is written for well-formed files, and takes half of
the time that reading an image takes. Tests hold the one against the other.
Structures: https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO

from scripts.image import go_modules, rust_crates
from scripts.image.elf_tables import INTERP, MAX_VERSIONS, STACK, Segment, Tables, in_file

Parse = Callable[[bytes], tuple[tuple[str, str], ...]]
MAGIC = b"\x7fELF"
UNREADABLE = "unreadable"
_MACHINES = {
    3: "i386",
    21: "ppc64",
    22: "s390",
    40: "arm",
    62: "x86_64",
    183: "aarch64",
    243: "riscv",
    258: "loongarch",
}
_KINDS = {1: "REL", 2: "EXEC", 3: "DYN", 4: "CORE"}
_NEEDED, _STRTAB, _SONAME, _RPATH, _RUNPATH = 1, 5, 14, 15, 29
_TEXTREL, _FLAGS, _FLAGS_1, _VERDEF, _VERNEED = 22, 30, 0x6FFFFFFB, 0x6FFFFFFC, 0x6FFFFFFE
_EXECUTABLE, _HAS_TEXTREL, _IS_PIE = 1, 4, 0x08000000
# symbol versions: a definition and its name, what is needed of a library and each version of it
# (LSB, symversion.html); flags: the file's own name, and a version that may be missing
_DEFINED, _DEFINED_NAME, _WANTED, _WANTED_NAME = "HHHHIII", "II", "HHIII", "IHHII"
_BASE, _WEAK = 1, 2


@dataclass(frozen=True, slots=True)
class Elf:
    """The facts of the headers and the dynamic section; `kind` is UNREADABLE for a damaged file."""

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
    # modules of a Go program: paths and versions
    modules: tuple[tuple[str, str], ...] = ()
    # crates of a Rust program that was built by cargo-auditable, with their versions
    crates: tuple[tuple[str, str], ...] = ()

    @property
    def is_program(self) -> bool:
        """Return whether it is started, not loaded: dynamic, static or position-independent."""
        return bool(self.interpreter) or self.kind == "EXEC" or "pie" in self.traits


def facts(file: IO[bytes], language: str = "") -> Elf:
    """Return the facts of a seekable file that begins with MAGIC, which may be hostile."""
    try:
        return _facts(Tables(file), language)
    except (struct.error, KeyError, ValueError, OverflowError, OSError):
        return Elf("", UNREADABLE, language=language)


def _facts(tables: Tables, language: str) -> Elf:
    segments = list(tables.segments())
    interpreter = [tables.name(segment.offset) for segment in segments if segment.kind == INTERP]
    numbers = tables.tags(segments)
    tags: dict[int, list[str]] = {}
    texts = next((value for tag, value in numbers if tag == _STRTAB), None)
    at = None if texts is None else in_file(segments, texts)
    for tag, value in numbers:
        if tag in (_NEEDED, _SONAME, _RPATH, _RUNPATH) and at is not None:
            tags.setdefault(tag, []).append(tables.name(at + value))
    folders = (tags.get(_RPATH, []), tags.get(_RUNPATH, []))
    sections = dict(tables.sections())
    modules = _listed(tables, sections, go_modules.SECTION, go_modules.modules)
    return Elf(
        _MACHINES.get(tables.machine, f"machine {tables.machine}"),
        _KINDS.get(tables.kind, f"type {tables.kind}"),
        "".join(interpreter),
        tuple(tags.get(_NEEDED, ())),
        "".join(tags.get(_SONAME, ())),
        _folders(folders[0]),
        _folders(folders[1]),
        not any(map(_is_debug, sections)),
        "go" if modules else language,
        tuple(_wants(tables, dict(numbers), segments, at)),
        tuple(_defined(tables, dict(numbers), segments, at)),
        tuple(_traits(numbers, segments, folders)),
        modules,
        _listed(tables, sections, rust_crates.SECTION, rust_crates.crates),
    )


def _listed(
    tables: Tables, sections: dict[str, tuple[int, int]], name: str, parse: Parse
) -> tuple[tuple[str, str], ...]:
    """Return what a program is made of; a section of another form says nothing."""
    if name not in sections:
        return ()
    place, size = sections[name]
    try:
        return parse(tables.at(place, min(size, go_modules.MAX_SECTION)))
    except ValueError:
        return ()


def _wants(
    tables: Tables, tags: dict[int, int], segments: list[Segment], texts: int | None
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield libraries with the versions of their symbols that must be there."""
    if _VERNEED not in tags or texts is None:
        return
    for place, (_, count, file, first, _) in tables.chain(
        _WANTED, in_file(segments, tags[_VERNEED]), MAX_VERSIONS
    ):
        names = tables.chain(_WANTED_NAME, place + first, count)
        versions = [
            tables.name(texts + name) for _, (_, flags, _, name, _) in names if not flags & _WEAK
        ]
        yield tables.name(texts + file), tuple(versions)


def _defined(
    tables: Tables, tags: dict[int, int], segments: list[Segment], texts: int | None
) -> Iterator[str]:
    """Yield the versions that the file has symbols of."""
    if _VERDEF not in tags or texts is None:
        return
    for place, (_, flags, _, _, _, first, _) in tables.chain(
        _DEFINED, in_file(segments, tags[_VERDEF]), MAX_VERSIONS
    ):
        if not flags & _BASE:
            for _, (name, _) in tables.chain(_DEFINED_NAME, place + first, 1):
                yield tables.name(texts + name)


def _folders(values: list[str]) -> tuple[str, ...]:
    return tuple(filter(None, ":".join(values).split(":")))


def _traits(
    tags: list[tuple[int, int]], segments: list[Segment], folders: Iterable[list[str]]
) -> Iterator[str]:
    """Yield what Elf.traits says of a file."""
    flags = {tag: value for tag, value in tags if tag in (_FLAGS, _FLAGS_1)}
    if flags.get(_FLAGS_1, 0) & _IS_PIE:
        yield "pie"
    if any(segment.kind == STACK and segment.flags & _EXECUTABLE for segment in segments):
        yield "executable stack"
    if any(tag == _TEXTREL for tag, _ in tags) or flags.get(_FLAGS, 0) & _HAS_TEXTREL:
        yield "text relocations"
    # an empty part is the folder in which the program happens to run
    if any("" in text.split(":") for texts in folders for text in texts if text):
        yield "relative search path"


def _is_debug(name: str) -> bool:
    return name == ".symtab" or name.startswith((".debug_", ".zdebug_"))
