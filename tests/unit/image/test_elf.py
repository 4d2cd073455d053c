from __future__ import annotations

import io
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerDefSection, GNUVerNeedSection
from hypothesis import given
from hypothesis import strategies as st

from scripts.image import elf, elf_tables, file_facts
from scripts.image.elf import UNREADABLE, Elf, facts
from scripts.image.layer_reader import read_layer
from tests.unit.fakes import tar_of

SECTION = struct.Struct("<IIQQQQIIQQ")
SEGMENT = struct.Struct("<IIQQQQQQ")
NAMES = b"\0.dynamic\0.dynstr\0.shstrtab\0.symtab\0.debug_info\0"


def elf_bytes(
    machine: int = 62,
    kind: int = 3,
    tags: list[tuple[int, str]] | None = None,
    interpreter: str = "",
    sections: tuple[str, ...] = (),
) -> bytes:
    """Return a small 64-bit ELF file; `tags` are entries of the dynamic section with a string."""
    strings, dynamic = b"\0", b""
    for tag, text in tags or []:
        dynamic += struct.pack("<QQ", tag, len(strings))
        strings += text.encode() + b"\0"
    at = 64 + 3 * SEGMENT.size
    places = {".interp": (at, interpreter.encode() + b"\0")}
    places[".dynstr"] = (at + len(places[".interp"][1]), strings)
    start = places[".dynstr"][0] + len(strings)
    dynamic += struct.pack("<QQQQQQ", 5, places[".dynstr"][0], 10, len(strings), 0, 0)
    names_at = start + len(dynamic)
    table = names_at + len(NAMES)
    segments = SEGMENT.pack(1, 4, 0, 0, 0, table, table, 1)
    segments += SEGMENT.pack(2, 4, start, start, start, len(dynamic), len(dynamic), 8)
    if interpreter:
        where, path = places[".interp"]
        segments += SEGMENT.pack(3, 4, where, where, where, len(path), len(path), 1)
    listed = SECTION.pack(*[0] * 10)
    listed += SECTION.pack(NAMES.index(b".dynamic"), 6, 0, start, start, len(dynamic), 2, 0, 8, 16)
    listed += SECTION.pack(
        NAMES.index(b".dynstr"), 3, 0, places[".dynstr"][0], places[".dynstr"][0], len(strings),
        0, 0, 1, 0,
    )  # fmt: skip # the fields in the order of elf.h
    for name in sections:
        listed += SECTION.pack(NAMES.index(name.encode()), 1, 0, 0, 0, 0, 0, 0, 1, 0)
    listed += SECTION.pack(NAMES.index(b".shstrtab"), 3, 0, 0, names_at, len(NAMES), 0, 0, 1, 0)
    count = 4 + len(sections)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    head = ident + struct.pack(
        "<HHIQQQIHHHHHH", kind, machine, 1, 0, 64, table, 0, 64, SEGMENT.size,
        3 if interpreter else 2, SECTION.size, count, count - 1,
    )  # fmt: skip # the fields in the order of elf.h
    segments = segments.ljust(3 * SEGMENT.size, b"\0")
    return head + segments + places[".interp"][1] + strings + dynamic + NAMES + listed


def test_what_a_dynamic_section_says() -> None:
    data = elf_bytes(
        tags=[
            (1, "libc.so.6"),
            (1, "libm.so.6"),
            (14, "libx.so.1"),
            (15, "$ORIGIN/../a:/b"),
            (29, "$ORIGIN:"),
        ],
        interpreter="/lib64/ld-linux-x86-64.so.2",
    )
    assert facts(io.BytesIO(data)) == Elf(
        "x86_64",
        "DYN",
        "/lib64/ld-linux-x86-64.so.2",
        ("libc.so.6", "libm.so.6"),
        "libx.so.1",
        ("$ORIGIN/../a", "/b"),
        ("$ORIGIN",),
        True,
        traits=("relative search path",),
    )


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (62, "x86_64"),
        (183, "aarch64"),
        (3, "i386"),
        (40, "arm"),
        (243, "riscv"),
        (9999, "machine 9999"),
    ],
)
def test_machines(number: int, name: str) -> None:
    assert facts(io.BytesIO(elf_bytes(machine=number))).machine == name


@pytest.mark.parametrize(("number", "name"), [(1, "REL"), (2, "EXEC"), (3, "DYN"), (4, "CORE")])
def test_kinds(number: int, name: str) -> None:
    assert facts(io.BytesIO(elf_bytes(kind=number))).kind == name


@pytest.mark.parametrize("section", [".symtab", ".debug_info"])
def test_what_is_not_stripped(section: str) -> None:
    assert facts(io.BytesIO(elf_bytes())).stripped
    assert not facts(io.BytesIO(elf_bytes(sections=(section,)))).stripped


def test_a_real_file_is_read_as_readelf_reads_it() -> None:
    readelf = shutil.which("readelf")
    if not readelf:
        pytest.skip("not run here: it takes binutils")
    path = str(Path(sys.executable).resolve())
    said = subprocess.run([readelf, "-dl", path], capture_output=True, text=True, check=True).stdout
    with open(path, "rb") as file:
        actual = facts(file)
    needed = [line.split("[")[1].rstrip("]") for line in said.splitlines() if "(NEEDED)" in line]
    assert list(actual.needed) == needed
    assert f"interpreter: {actual.interpreter}]" in said


def test_a_file_in_a_layer_has_its_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    data = elf_bytes(tags=[(1, "libc.so.6")]) + bytes(3 << 20)
    for limit in (1 << 30, 1000):  # in memory, and in a temporary file
        monkeypatch.setattr(file_facts, "MAX_MEMORY", limit)
        assert in_layer(data).needed == ("libc.so.6",)


@pytest.mark.parametrize("at", [100, (1 << 20) - 9, (1 << 20) - 1, (2 << 20) + 5])
def test_rust_is_recognised_by_what_panics_carry(at: int) -> None:
    data = bytearray(elf_bytes() + bytes(3 << 20))
    data[at + 500 : at + 517] = b"library/core/src/"
    assert in_layer(bytes(data)).language == "rust"
    assert in_layer(bytes(data).replace(b"core/src/", b"CORE/src/")).language == ""


def in_layer(data: bytes) -> Elf:
    files: list[Elf | None] = []
    read_layer(io.BytesIO(tar_of({"x": data})), sink=lambda file, _: files.append(file.elf))
    assert files[0]
    return files[0]


def test_a_file_that_is_too_large_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    data = elf_bytes()
    for limit, kind in ((len(data), "DYN"), (len(data) - 1, UNREADABLE)):
        monkeypatch.setattr(file_facts, "MAX_ELF", limit)
        assert in_layer(data).kind == kind


@pytest.mark.parametrize(
    "data",
    [
        b"\x7fELF",
        elf_bytes()[:63],
        elf_bytes()[:200],
        b"\x7fELF" + b"\xff" * 500,
        elf_bytes()[:60] + b"\xff\xff\xff\xff" + elf_bytes()[64:],
    ],
)
def test_a_damaged_file_is_unreadable(data: bytes) -> None:
    assert facts(io.BytesIO(data)) == Elf("", UNREADABLE)


def test_tables_and_names_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    data = elf_bytes(tags=[(1, f"lib{number}.so") for number in range(200)])
    assert len(facts(io.BytesIO(data)).needed) == 200
    monkeypatch.setattr(elf_tables, "MAX_TABLE", 300)
    assert facts(io.BytesIO(data)) == Elf("", UNREADABLE)
    monkeypatch.undo()
    monkeypatch.setattr(elf_tables, "MAX_NAME", 8)
    assert facts(io.BytesIO(data)) == Elf("", UNREADABLE)  # lib100.so has nine letters


def by_library(data: bytes) -> Elf:
    """Return the same facts, as pyelftools reads them."""
    parsed: Any = ELFFile(io.BytesIO(data))
    entries: dict[str, list[str]] = {"needed": [], "soname": [], "rpath": [], "runpath": []}
    interpreter = ""
    for segment in parsed.iter_segments():
        if segment["p_type"] == "PT_INTERP":
            interpreter = segment.get_interp_name()
        elif segment["p_type"] == "PT_DYNAMIC":
            for tag in segment.iter_tags():
                if (name := str(tag.entry.d_tag)[3:].lower()) in entries:
                    entries[name].append(getattr(tag, name))
    names = [section.name for section in parsed.iter_sections()]
    wants, versions = versions_of(parsed)
    return Elf(
        {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64", "EM_386": "i386"}[parsed["e_machine"]],
        parsed["e_type"][3:],
        interpreter,
        tuple(entries["needed"]),
        "".join(entries["soname"]),
        tuple(filter(None, ":".join(entries["rpath"]).split(":"))),
        tuple(filter(None, ":".join(entries["runpath"]).split(":"))),
        not any(name == ".symtab" or name.startswith(".debug_") for name in names),
        "",
        wants,
        versions,
        tuple(traits_of(parsed)),
    )


def versions_of(parsed: Any) -> tuple[Any, tuple[str, ...]]:
    """Return the versions that a file needs of each library, and those that it has."""
    wants: list[tuple[str, tuple[str, ...]]] = []
    versions: list[str] = []
    for section in parsed.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for library, names in section.iter_versions():
                strong = (name for name in names if not name["vna_flags"] & 2)
                wants.append((str(library.name), tuple(name.name for name in strong)))
        elif isinstance(section, GNUVerDefSection):
            for definition, names in section.iter_versions():
                if not definition["vd_flags"] & 1:
                    versions.append(next(iter(names)).name)
    return tuple(wants), tuple(versions)


def traits_of(parsed: Any) -> Iterator[str]:
    tags = [
        tag.entry
        for segment in parsed.iter_segments()
        if segment["p_type"] == "PT_DYNAMIC"
        for tag in segment.iter_tags()
    ]
    if any(tag.d_tag == "DT_FLAGS_1" and tag.d_val & 0x08000000 for tag in tags):
        yield "pie"
    stacks = (
        segment["p_flags"]
        for segment in parsed.iter_segments()
        if segment["p_type"] == "PT_GNU_STACK"
    )
    if any(flags & 1 for flags in stacks):
        yield "executable stack"
    if any(
        tag.d_tag == "DT_TEXTREL" or (tag.d_tag == "DT_FLAGS" and tag.d_val & 4) for tag in tags
    ):
        yield "text relocations"


def test_real_files_are_read_as_pyelftools_reads_them() -> None:
    places = [Path(sys.executable).resolve(), *Path(sys.prefix).rglob("*.so")]
    places += [file for file in Path("/usr/lib/x86_64-linux-gnu").glob("*.so.*") if file.is_file()]
    places += [file for file in Path("/usr/bin").glob("*") if file.is_file()]
    elves = [data for file in places[:400] if (data := file.read_bytes()).startswith(elf.MAGIC)]
    assert len(elves) > 20
    for data in elves:
        assert facts(io.BytesIO(data)) == by_library(data)


@pytest.mark.parametrize(
    ("flags", "trait"),
    [
        (("-z", "execstack"), "executable stack"),
        (("-z", "noexecstack"), ""),
        (("-z", "notext"), ""),
    ],
)
def test_what_the_linker_makes_is_seen(flags: tuple[str, ...], trait: str, tmp_path: Path) -> None:
    linked = compiled(tmp_path, "int f(void){return 1;}", f"-Wl,{','.join(flags)}")
    assert facts(io.BytesIO(linked)).traits == ((trait,) if trait else ())


def test_versions_of_a_library_and_of_what_is_linked_with_it(tmp_path: Path) -> None:
    (tmp_path / "v").write_text(
        "ONE_1.0 { global: f; local: *; };\nONE_2.0 { global: g; } ONE_1.0;"
    )
    library = compiled(
        tmp_path,
        "int f(void){return 1;} int g(void){return 2;}",
        f"-Wl,-soname,libone.so.1,--version-script={tmp_path}/v",
    )
    actual = facts(io.BytesIO(library))
    assert (actual.versions, actual.wants) == (("ONE_1.0", "ONE_2.0"), ())
    (tmp_path / "libone.so.1").write_bytes(library)
    user = compiled(
        tmp_path, "int g(void); int h(void){return g();}", str(tmp_path / "libone.so.1")
    )
    assert facts(io.BytesIO(user)).wants == (("libone.so.1", ("ONE_2.0",)),)


def compiled(folder: Path, source: str, *flags: str) -> bytes:
    """Return a library of one C source, as gcc and ld make it."""
    (folder / "x.c").write_text(source)
    command = ["gcc", "-shared", "-fPIC", "-nostdlib", "-s", "-o", "x.so", "x.c", *flags]
    subprocess.run(command, cwd=folder, check=True)
    return (folder / "x.so").read_bytes()


def test_version_tables_have_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "v").write_text("A { global: f; local: *; };\nB { global: g; } A;")
    library = compiled(
        tmp_path,
        "int f(void){return 1;} int g(void){return 2;}",
        f"-Wl,--version-script={tmp_path}/v",
    )
    monkeypatch.setattr(elf_tables, "MAX_VERSIONS", 5)  # of itself, of A and of B: with a name each
    assert facts(io.BytesIO(library)).versions == ("A", "B")
    monkeypatch.setattr(elf_tables, "MAX_VERSIONS", 4)
    assert facts(io.BytesIO(library)) == Elf("", UNREADABLE)


WHOLE = elf_bytes(tags=[(1, "libc.so.6"), (29, "/a")], interpreter="/ld.so", sections=(".symtab",))


@given(
    edits=st.lists(
        st.tuples(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=8)),
        min_size=1,
        max_size=8,
    ),
    length=st.integers(4, len(WHOLE)),
)
def test_a_mutated_file_is_read_or_unreadable(edits: list[tuple[int, bytes]], length: int) -> None:
    data = bytearray(WHOLE)
    for at, value in edits:
        data[at : at + len(value)] = value
    actual = facts(io.BytesIO(bytes(data[:length])))
    assert actual.kind == UNREADABLE or actual.machine


def test_the_maker_of_these_files_makes_what_the_library_reads() -> None:
    parsed = ELFFile(io.BytesIO(WHOLE))
    assert [section.name for section in parsed.iter_sections()] == [
        "",
        ".dynamic",
        ".dynstr",
        ".symtab",
        ".shstrtab",
    ]


def test_names_of_one_file_have_an_end_together() -> None:
    """100 files of 9,990 libraries with long names took 3.9 GB of memory."""
    data = elf_bytes(tags=[(1, "x" * 4000) for _ in range(200)])
    assert facts(io.BytesIO(data)) == Elf("", UNREADABLE)
    assert len(facts(io.BytesIO(elf_bytes(tags=[(1, "x" * 4000)] * 16))).needed) == 16
    assert facts(io.BytesIO(elf_bytes(tags=[(1, "x" * 4000)] * 17))) == Elf("", UNREADABLE)


class Counted(io.BytesIO):
    """A file that counts the bytes read from it."""

    bytes_read = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.bytes_read += len(data)
        return data


def test_work_grows_with_the_file_and_not_with_what_it_repeats() -> None:
    """Every dynamic segment and every section's name was read as often as a table named it."""
    data = bytearray(elf_bytes(tags=[(1, "libc.so.6")] * 500))
    count = 5000
    dynamic = next(
        SEGMENT.unpack_from(data, 64 + number * SEGMENT.size)
        for number in range(3)
        if SEGMENT.unpack_from(data, 64 + number * SEGMENT.size)[0] == 2
    )
    data[32:40] = struct.pack("<Q", len(data))  # the segments' table is at the end
    data[56:58] = struct.pack("<H", count)
    load = bytes(data[64 : 64 + SEGMENT.size])
    table = load + SEGMENT.pack(*dynamic) * (count - 1)
    file = Counted(bytes(data) + table)
    facts(file)
    assert file.bytes_read < 3 * len(file.getvalue()) + elf_tables.MAX_TAGS * elf_tables.MAX_NAME


def test_a_sections_name_is_read_only_as_far_as_needed() -> None:
    tables = elf_tables.Tables(io.BytesIO(elf_bytes(sections=(".symtab",))))
    names = [name for name, _ in tables.sections()]
    assert ".symtab" in names
    assert max(map(len, names)) <= elf_tables.SECTION_NAME
