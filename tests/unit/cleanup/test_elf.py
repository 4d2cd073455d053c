from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import sys
from pathlib import Path
from textwrap import indent

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sutra_cleanup import manifest, tree
from sutra_cleanup.elf import MAGIC, Stripped, has_symbols, is_loaded, misaligned, strip
from sutra_cleanup.trash import Trash

from tests.unit.cleanup.trees import Link, library, make, needs_gcc, snapshot
from tests.unit.fakes import program

PYTHON = [sys.executable]
PT_LOAD, PT_NOTE = 1, 4


def elf_file(*segments: tuple[int, int, int, int]) -> bytes:
    """Return a 64-bit ELF file of program headers alone: (type, offset, vaddr, align)."""
    header = struct.pack(
        "<4sBBBB8xHHIQQQIHHHHHH",
        MAGIC, 2, 1, 1, 0, 3, 62, 1, 0, 64, 0, 0, 64, 56, len(segments), 0, 0, 0,
    )  # fmt: skip # the fields in the order of elf.h
    return header + b"".join(
        struct.pack("<IIQQQQQQ", kind, 5, offset, vaddr, vaddr, 16, 16, align)
        for kind, offset, vaddr, align in segments
    )


def stripped(root: Path, tool: str = "strip") -> Stripped:
    (root.parent / "cleanup.yaml").write_text("strip: verified")
    plan = tree.plan(root, manifest.load(root.parent / "cleanup.yaml"))
    with Trash(root) as trash:
        return strip(plan, trash, PYTHON, str(root), tool)


def tool_of(folder: Path, script: str) -> str:
    """Return a strip tool that runs Python with `small` and `data`, the file's bytes."""
    code = folder / "tool.py"
    code.write_text(
        "import struct, sys\nsmall = sys.argv[3]\n"
        f"data = bytearray(open(sys.argv[4], 'rb').read())\n{script}\n"
        "open(small, 'wb').write(data)\n"
    )
    return str(program(folder, "fake-strip", f'exec "{sys.executable}" -S "{code}" "$@"\n'))


# ---- what is an ELF file, and a sound one ----------------------------------


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (MAGIC + b"\2\1" + bytes(10) + b"\3\0", True),  # a library
        (MAGIC + b"\2\1" + bytes(10) + b"\2\0", True),  # a program
        (MAGIC + b"\2\2" + bytes(10) + b"\0\2", True),  # big-endian
        (MAGIC + b"\2\1" + bytes(10) + b"\1\0", False),  # an object file
        (MAGIC + b"\2\1" + bytes(10) + b"\4\0", False),  # a core dump
        (MAGIC, False),
        (b"\x7fEL", False),
        (b"", False),
        (b"GROUP(", False),
    ],
)
def test_what_is_loaded_begins_as_such(tmp_path: Path, content: bytes, expected: bool) -> None:
    file = tmp_path / "x.so"
    file.write_bytes(content)
    assert is_loaded(str(file)) is expected


@pytest.mark.parametrize(
    ("segments", "said"),
    [
        ([], ""),
        ([(PT_LOAD, 0, 0, 0x1000)], ""),
        ([(PT_LOAD, 0x1010, 0x402010, 0x1000)], ""),
        ([(PT_LOAD, 0x2010, 0x1010, 0x1000)], ""),
        ([(PT_LOAD, 0x1010, 0x402018, 0x1000)], "load segment not aligned to 4096"),
        ([(PT_LOAD, 0x1000, 0x2000, 0x10000)], "load segment not aligned to 65536"),
        ([(PT_LOAD, 0x2000, 0x1000, 0x10000)], "load segment not aligned to 65536"),
        ([(PT_LOAD, 0, 0, 0x1000), (PT_LOAD, 1, 0, 8)], "load segment not aligned to 8"),
        ([(PT_LOAD, 0, 0, 24)], "load segment not aligned to 24"),
        ([(PT_LOAD, 0, 5, 0)], ""),
        ([(PT_LOAD, 0, 5, 1)], ""),
        ([(PT_NOTE, 0, 5, 8)], ""),
    ],
)
def test_a_load_segment_lies_in_the_file_as_in_memory(
    tmp_path: Path, segments: list[tuple[int, int, int, int]], said: str
) -> None:
    file = tmp_path / "x.so"
    file.write_bytes(elf_file(*segments))
    assert misaligned(str(file)) == said


@pytest.mark.parametrize(
    "content", [b"", b"garbage", MAGIC, MAGIC + bytes(60), MAGIC + b"\xff" * 500]
)
def test_garbage_is_not_sound(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.so"
    file.write_bytes(content)
    assert misaligned(str(file)).startswith("not a readable ELF file: ")


def test_a_missing_file_is_not_sound(tmp_path: Path) -> None:
    assert misaligned(f"{tmp_path}/x.so") == (
        f"not a readable ELF file: [Errno 2] No such file or directory: '{tmp_path}/x.so'"
    )


SOUND = elf_file((PT_LOAD, 0, 0, 0x1000), (PT_LOAD, 0x1010, 0x402010, 0x1000))


@given(st.integers(0, len(SOUND) - 1))
def test_a_file_cut_anywhere_is_not_sound(
    tmp_path_factory: pytest.TempPathFactory, at: int
) -> None:
    file = tmp_path_factory.mktemp("cut") / "x.so"
    file.write_bytes(SOUND[:at])
    assert misaligned(str(file)).startswith("not a readable ELF file: ")


@given(st.lists(st.tuples(st.integers(4, len(SOUND) - 1), st.integers(0, 255)), min_size=1))
def test_a_damaged_file_is_judged_and_never_raises(
    tmp_path_factory: pytest.TempPathFactory, damages: list[tuple[int, int]]
) -> None:
    data = bytearray(SOUND)
    for at, value in damages:
        data[at] = value
    file = tmp_path_factory.mktemp("damaged") / "x.so"
    file.write_bytes(data)
    said = misaligned(str(file))
    assert said == "" or said.startswith(("load segment not aligned to ", "not a readable ELF"))


# ---- strip -----------------------------------------------------------------


@needs_gcc
def test_a_stripped_library_is_smaller_and_loads(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", {})
    file = library(root / "a/lib.so")
    file.chmod(0o751)
    before = file.stat().st_size
    report = stripped(root)
    assert report == Stripped(1, before - file.stat().st_size)
    assert report.saved > 0
    assert file.stat().st_mode & 0o777 == 0o751
    assert ctypes.CDLL(str(file)).answer() == 42
    assert sorted(snapshot(root)) == ["a", "a/lib.so"]


@needs_gcc
def test_a_stripped_library_is_left_alone(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", {})
    library(root / "lib.so.1.2")
    stripped(root)
    before = snapshot(root)
    assert stripped(root) == Stripped()
    assert snapshot(root) == before


@needs_gcc
def test_links_texts_and_object_files_are_left_alone(tmp_path: Path) -> None:
    make(tmp_path, {"outside/": ""})
    library(tmp_path / "outside/lib.so")
    root = make(tmp_path / "tree", {"a.so": Link("../outside/lib.so"), "b.so": "GROUP(libc.so.6)"})
    executable(root / "lib/object.o", ("-c",))
    before = snapshot(tmp_path)
    assert stripped(root) == Stripped()
    (tmp_path / "cleanup.yaml").unlink()
    assert snapshot(tmp_path) == before


PROGRAM = "int main(void) { return 42; }"


@needs_gcc
@pytest.mark.parametrize("flags", [("-no-pie", "-fno-pie"), ("-pie", "-fPIE"), ("-static",)])
def test_a_program_is_stripped_and_runs(tmp_path: Path, flags: tuple[str, ...]) -> None:
    root = make(tmp_path / "tree", {})
    file = executable(root / "bin/tool", flags)
    before = file.stat()
    report = stripped(root)
    assert report == Stripped(1, before.st_size - file.stat().st_size)
    assert report.saved > 0
    assert file.stat().st_mode == before.st_mode
    assert subprocess.run([file], check=False).returncode == 42


@needs_gcc
def test_a_program_that_strip_damaged_is_put_back_and_named(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", {})
    executable(root / "bin/tool", ("-pie", "-fPIE"))
    before = snapshot(root)
    script = f"{REAL}start, = struct.unpack_from('<Q', data, 32)\ndata[start + 4] ^= 1\n"
    report = stripped(root, tool_of(tmp_path, script))
    assert report == Stripped(0, 0, (("bin/tool", "its segments changed"),))
    assert snapshot(root) == before


def executable(place: Path, flags: tuple[str, ...]) -> Path:
    """Compile a program, with what debuggers read in it."""
    place.parent.mkdir(parents=True)
    code = place.parent.parent.parent / "program.c"
    code.write_text(PROGRAM)
    subprocess.run(["gcc", "-g", *flags, "-o", place, code], check=True, capture_output=True)
    return place


@needs_gcc
def test_a_library_that_leaves_is_not_stripped(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", {})
    library(root / "tests/lib.so")
    (tmp_path / "cleanup.yaml").write_text("rules: {t: {why: a, remove: [tests/]}}")
    plan = tree.plan(root, manifest.load(tmp_path / "cleanup.yaml"))
    with Trash(root) as trash:
        assert strip(plan, trash, PYTHON, str(root)) == Stripped()


@needs_gcc
def test_a_library_that_did_not_load_before_is_stripped_all_the_same(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", {})
    library(root / "lib.so", "extern int nowhere(void); int (*call)(void) = nowhere;")
    report = stripped(root)
    assert (report.files, report.restored) == (1, ())


@needs_gcc
def test_odd_names_are_stripped(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", {})
    for name in ("line\nbreak.so", "raw\udcff.so", "-rf.so", " .so"):
        library(root / "a" / name)
    assert stripped(root).files == 4


# ---- what strip damages ----------------------------------------------------

TRUNCATE = "data = data[:100]"
MISALIGN = """
start, = struct.unpack_from("<Q", data, 32)
for at in range(start, start + 56 * struct.unpack_from("<H", data, 56)[0], 56):
    kind, _, offset, vaddr = struct.unpack_from("<IIQQ", data, at)
    if kind == 1:
        struct.pack_into("<Q", data, at + 16, vaddr + 8)
data = data[:-1]
"""
REAL = """
import subprocess
subprocess.run(["strip", "--strip-unneeded", "-o", small, sys.argv[4]], check=True)
data = bytearray(open(small, "rb").read())
"""
OTHER_MACHINE = REAL + "data[18:20] = b'\\xf3\\0'"
CRASH = """
import struct
start, = struct.unpack_from("<Q", data, 32)
for at in range(start, start + 56 * struct.unpack_from("<H", data, 56)[0], 56):
    kind, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", data, at)
    if kind == 2:
        data[offset:offset + size] = b"\\x11" * size
"""


@needs_gcc
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (TRUNCATE, "not a readable ELF file: "),
        (MISALIGN, "load segment not aligned to 4096"),
        (OTHER_MACHINE, "OSError: {path}: "),
        (REAL + CRASH, "interpreter crashed with -"),
    ],
    ids=["truncated", "misaligned", "another machine", "crashes"],
)
def test_a_damaged_library_is_put_back_and_named(tmp_path: Path, script: str, reason: str) -> None:
    root = make(tmp_path / "tree", {})
    library(root / "a/lib.so")
    before = snapshot(root)
    report = stripped(root, tool_of(tmp_path, script))
    assert (report.files, report.saved, len(report.restored)) == (0, 0, 1)
    path, said = report.restored[0]
    assert path == "a/lib.so"
    assert said.startswith(reason.format(path=f"{root}/a/lib.so"))
    assert snapshot(root) == before


@needs_gcc
def test_one_damaged_library_does_not_keep_others_from_being_stripped(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", {})
    library(root / "bad.so", "int bad;")
    good = library(root / "good.so")
    before = snapshot(root)
    script = f'{REAL}if "bad" in sys.argv[4]:{indent(CRASH, "    ")}'
    report = stripped(root, tool_of(tmp_path, script))
    assert report.files == 1
    assert [path for path, _ in report.restored] == ["bad.so"]
    assert report.saved == len(before["good.so"][1]) - good.stat().st_size
    assert snapshot(root)["bad.so"] == before["bad.so"]


@needs_gcc
@pytest.mark.parametrize(
    "script",
    ["sys.exit(1)", "open(small, 'wb').write(b'half'); sys.exit(1)", "data += b'longer'", "pass"],
    ids=["refuses", "refuses half way", "makes it longer", "saves nothing"],
)
def test_a_library_that_strip_makes_no_smaller_is_left_alone(tmp_path: Path, script: str) -> None:
    root = make(tmp_path / "tree", {})
    library(root / "lib.so")
    before = snapshot(root)
    assert stripped(root, tool_of(tmp_path, script)) == Stripped()
    assert snapshot(root) == before


@needs_gcc
def test_a_library_that_grows_when_it_loses_its_symbols_is_stripped(tmp_path: Path) -> None:
    """On arm64 those that patchelf changed do: contents.stripped would find their symbols."""
    root = make(tmp_path / "tree", {})
    before = library(root / "lib.so").stat().st_size
    grows = "import subprocess\nsubprocess.run(['strip', '-o', small, sys.argv[4]], check=True)\n"
    grows += "data = open(small, 'rb').read() + bytes(len(data))"
    report = stripped(root, tool_of(tmp_path, grows))
    after = (root / "lib.so").stat().st_size
    assert after > before
    assert report == Stripped(1, before - after)
    assert not has_symbols(str(root / "lib.so"))
    assert stripped(root, tool_of(tmp_path, grows)) == Stripped()  # it has no symbols any more


@pytest.mark.parametrize("content", [b"", MAGIC, MAGIC + bytes(60)])
def test_what_cannot_be_read_has_no_symbols(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.so").write_bytes(content)
    assert not has_symbols(str(tmp_path / "x.so"))
    assert not has_symbols(str(tmp_path / "nothing.so"))


def test_the_tool_is_asked_for_what_linking_needs_to_stay(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", {"x.so": SOUND})
    tool = program(tmp_path, "fake-strip", f'printf "%s " "$@" > "{tmp_path}/asked"; exit 1\n')
    assert stripped(root, str(tool)) == Stripped()
    call = (tmp_path / "asked").read_text()
    assert call == f"--strip-unneeded -o {root}.cleanup-{os.getpid()}/stripped {root}/x.so "


@needs_gcc
def test_the_library_is_loaded_by_its_path_in_the_final_root(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", {})
    library(root / "lib.so")
    (tmp_path / "shown").symlink_to("tree")
    (tmp_path / "cleanup.yaml").write_text("{}")
    plan = tree.plan(root, manifest.load(tmp_path / "cleanup.yaml"))
    with Trash(root) as trash:
        assert strip(plan, trash, PYTHON, f"{tmp_path}/shown").files == 1
