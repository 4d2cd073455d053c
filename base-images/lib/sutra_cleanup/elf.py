"""Strip libraries and check the result: a damaged one is put back, and the report names it.

binutils before 2.44 writes load segments that are not page-aligned for some
wheels' libraries (numpy#20101, auditwheel#716), which nothing notices until the
library is loaded.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from .errors import CleanupError
from .probe import loads
from .trash import Trash
from .tree import Plan

MAGIC = b"\x7fELF"
# e_type of programs, and of libraries and programs that are position-independent (elf(5));
# object files are for a linker, which needs what strip would take
LOADED = (2, 3)
# bytes of the smallest ELF header; what is shorter, a pipe too, is not opened
HEADER = 52


@dataclass(frozen=True)
class Stripped:
    """The number of files that were stripped, the bytes saved, and why others were put back."""

    files: int = 0
    saved: int = 0
    restored: tuple[tuple[str, str], ...] = ()


def is_elf(path: str) -> bool:
    """Return whether the file begins as an ELF file does."""
    with open(path, "rb") as file:
        return file.read(4) == MAGIC


def is_loaded(path: str) -> bool:
    """Return whether the file begins as an ELF library or program does."""
    with open(path, "rb") as file:
        head = file.read(18)
    order: Literal["little", "big"] = "big" if head[5:6] == b"\2" else "little"
    return head[:4] == MAGIC and int.from_bytes(head[16:], order) in LOADED


def misaligned(path: str) -> str:
    """Return why the loader would refuse the file's segments, or "".

    Source: elf(5), p_align: p_vaddr equals p_offset, modulo p_align.
    """
    try:
        with open(path, "rb") as file:
            for segment in ELFFile(file).iter_segments():
                align = segment["p_align"]
                if segment["p_type"] != "PT_LOAD" or align <= 1:
                    continue
                if align & (align - 1) or (segment["p_vaddr"] - segment["p_offset"]) % align:
                    return f"load segment not aligned to {align}"
    except (ELFError, OSError, ValueError, KeyError) as error:
        return f"not a readable ELF file: {error}"
    return ""


def segments(path: str) -> list[tuple[object, ...]]:
    """Return what is loaded of the file, and where: strip must not change it."""
    fields = "p_type", "p_flags", "p_vaddr", "p_filesz", "p_memsz"
    with open(path, "rb") as file:
        return [
            tuple(segment[name] for name in fields) for segment in ELFFile(file).iter_segments()
        ]


def strip(
    plan: Plan, trash: Trash, python: Sequence[str], shown_as: str, tool: str = "strip"
) -> Stripped:
    """Strip every ELF library and program that stays; put back what did not survive it.

    `shown_as` is the tree's path as the interpreter sees it. A program cannot be loaded
    to try it, and may do anything when it is run: its segments are compared, as are
    those of a library that does not load by itself.
    """
    tree = os.fspath(plan.tree)
    libraries = [
        entry.path
        for entry in plan.staying
        if entry.size > HEADER and not entry.is_link and is_loaded(f"{tree}/{entry.path}")
    ]
    targets = [f"{shown_as}/{path}" for path in libraries]
    before = loads(python, targets)
    done: dict[str, tuple[int, int]] = {}
    restored: list[tuple[str, str]] = []
    for path in libraries:
        number = len(trash.changes)
        if (saved := _strip_one(tree, path, trash, tool)) is not None:
            # before anything is loaded, or it would take others down with it
            reason = misaligned(f"{tree}/{path}")
            if not reason and before[f"{shown_as}/{path}"]:
                same = segments(f"{tree}/{path}") == segments(trash.original(number))
                reason = "" if same else "its segments changed"
            if reason:
                trash.put_back([number])
                restored.append((path, reason))
            else:
                done[path] = (number, saved)
    after = loads(python, targets)
    for path, (number, _) in list(done.items()):
        problem = after[f"{shown_as}/{path}"]
        if problem and not before[f"{shown_as}/{path}"]:
            trash.put_back([number])
            restored.append((path, problem))
            del done[path]
    return Stripped(len(done), sum(saved for _, saved in done.values()), tuple(restored))


def has_symbols(path: str) -> bool:
    """Return whether the file has the table of symbols that strip takes."""
    try:
        with open(path, "rb") as file:
            return any(part["sh_type"] == "SHT_SYMTAB" for part in ELFFile(file).iter_sections())
    except (ELFError, OSError, ValueError, KeyError):
        return False


def _strip_one(tree: str, path: str, trash: Trash, tool: str) -> int | None:
    """Strip one library and return the bytes saved; None leaves it as it was.

    What loses its symbols may grow: where patchelf left gaps, as pages of 64 kB on arm64 make it
    do, they stood in one, and strip writes what follows behind the last.
    """
    full, small = f"{tree}/{path}", trash.spare("stripped")
    run = [tool, "--strip-unneeded", "-o", small, full]
    try:
        done = subprocess.run(run, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise CleanupError(f'strip: no such tool "{tool}"', "install binutils") from error
    saved = os.path.getsize(full) - os.path.getsize(small) if done.returncode == 0 else 0
    if saved <= 0 and (done.returncode or has_symbols(small) or not has_symbols(full)):
        if os.path.exists(small):
            os.unlink(small)
        return None
    os.chmod(small, os.stat(full).st_mode)
    trash.move("strip", path, added=(path,))
    os.rename(small, full)
    return saved
