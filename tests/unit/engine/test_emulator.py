from __future__ import annotations

import io
import os

import pytest
from elftools.elf.elffile import ELFFile

from scripts.common import platforms
from scripts.common.errors import SutraError
from scripts.engine import emulator

OWN = platforms.own_architecture()


def test_this_machine_runs_its_own_programs() -> None:
    assert emulator.runs(OWN)
    emulator.require(OWN)  # raises nothing


def test_no_machine_runs_a_program_of_an_unknown_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """243 is RISC-V in an ELF header, which no emulator of ours is registered for."""
    _, code = emulator.PROGRAMS[OWN]
    monkeypatch.setitem(emulator.PROGRAMS, "arm64", (243, code))
    assert not emulator.runs("arm64")
    with pytest.raises(SutraError) as caught:
        emulator.require("arm64")
    assert (caught.value.message, caught.value.tip) == (
        f'PLATFORMS: no emulator for "{platforms.name_of("arm64")}"',
        "install Debian's qemu-user-static, or build on a node of that platform: "
        "docs/build-farm.md",
    )


def test_a_program_that_fails_is_none_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, code = emulator.PROGRAMS[OWN]
    monkeypatch.setitem(emulator.PROGRAMS, OWN, (machine, bytes(len(code))))
    assert not emulator.runs(OWN)


def test_a_machine_without_files_in_memory_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def memfd_create(_: str) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "memfd_create", memfd_create)
    assert not emulator.runs(OWN)


@pytest.mark.parametrize(("name", "machine"), [("amd64", "x64"), ("arm64", "AArch64")])
def test_the_programs_are_elf_files_of_their_machine(name: str, machine: str) -> None:
    program = ELFFile(io.BytesIO(emulator.program(name)))
    assert program.get_machine_arch() == machine
    (segment,) = program.iter_segments()
    assert segment["p_filesz"] == len(emulator.program(name))
    assert program["e_entry"] == segment["p_vaddr"] + 120
