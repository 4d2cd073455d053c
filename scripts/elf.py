"""Facts of one ELF file, as far as judging an image needs them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any

from elftools.elf.elffile import ELFFile

MAGIC = b"\x7fELF"
# what a file may have us read: real ones (LLVM's own library) take a twentieth of each
MAX_READS = 200_000
MAX_BYTES = 64 << 20
MAX_TAGS = 10_000
UNREADABLE = "unreadable"
# paths of the standard library's sources, which panics carry, whatever is stripped
RUST = b"library/core/src/"
_MACHINES = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64", "EM_386": "i386", "EM_ARM": "arm"}


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


def facts(file: IO[bytes], language: str = "") -> Elf:
    """Return the facts of a seekable file that begins with MAGIC.

    It may be hostile: no more than MAX_READS and MAX_BYTES are read for it.
    """
    try:
        metered: Any = _Metered(file)
        return _facts(ELFFile(metered), language)
    # the library is written for well-formed files; on others it raises whatever it meets
    except Exception:
        return Elf("", UNREADABLE, language=language)


def _facts(elf: Any, language: str) -> Elf:
    machine, kind = str(elf["e_machine"]), str(elf["e_type"])
    found: dict[str, Any] = {}
    for segment in elf.iter_segments():
        if segment["p_type"] == "PT_INTERP":
            found["interpreter"] = segment.get_interp_name()
        elif segment["p_type"] == "PT_DYNAMIC":
            found.update(_dynamic(segment))
    return Elf(
        _MACHINES.get(machine, machine.removeprefix("EM_").lower()),
        kind.removeprefix("ET_"),
        stripped=not any(_is_debug(name) for name in _section_names(elf)),
        language=language,
        **found,
    )


def _dynamic(segment: Any) -> dict[str, Any]:
    tags: dict[str, list[str]] = {}
    for tag in islice(segment.iter_tags(), MAX_TAGS):
        if (name := tag.entry.d_tag) in ("DT_NEEDED", "DT_SONAME", "DT_RPATH", "DT_RUNPATH"):
            tags.setdefault(name, []).append(getattr(tag, name[3:].lower()))
    return {
        "needed": tuple(tags.get("DT_NEEDED", [])),
        "soname": "".join(tags.get("DT_SONAME", [])),
        "rpath": _folders(tags.get("DT_RPATH", [])),
        "runpath": _folders(tags.get("DT_RUNPATH", [])),
    }


def _folders(values: list[str]) -> tuple[str, ...]:
    return tuple(filter(None, ":".join(values).split(":")))


def _section_names(elf: Any) -> Iterator[str]:
    return (section.name for section in elf.iter_sections())


def _is_debug(name: str) -> bool:
    return name == ".symtab" or name.startswith((".debug_", ".zdebug_"))


class _Metered:
    """A file that refuses to be read on and on."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._reads, self._bytes = file, 0, 0
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(min(size, MAX_BYTES) if size >= 0 else MAX_BYTES)
        self._reads, self._bytes = self._reads + 1, self._bytes + len(data)
        if self._reads > MAX_READS or self._bytes > MAX_BYTES:
            raise ValueError("reads too much")
        return data
