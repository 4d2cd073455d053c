from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from scripts.common import platforms
from scripts.common.errors import SutraError
from scripts.engine import emulator

OWN = platforms.own_architecture()
OTHER = next(name for name in emulator.PROGRAMS if name != OWN)
# a user namespace has a list of emulators of its own (Linux 6.7)
REGISTER = """
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc || exit 99
printf '%s' "$1" >/proc/sys/fs/binfmt_misc/register || exit 99
exec "$2" -m tests.unit.engine.test_emulator
"""


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


def require_other(flags: str, interpreter: Path) -> subprocess.CompletedProcess[str]:
    """Ask for the other platform where `interpreter` runs its programs, with these flags."""
    header = emulator.program(OTHER)[:20]
    magic = "".join(f"\\x{byte:02x}" for byte in header)
    line = f":other:M::{magic}::{interpreter}:{flags}"
    words = ["unshare", "-Urm", "sh", "-c", REGISTER, "sh", line, sys.executable]
    return subprocess.run(words, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("F", ""),
        (
            "",
            f'PLATFORMS: containers have no emulator for "{platforms.name_of(OTHER)}": '
            "it is registered without the flag F\n",
        ),
    ],
)
def test_an_emulator_that_containers_do_not_see(tmp_path: Path, flags: str, said: str) -> None:
    """The emulator is a program that ends with 0, whatever it is given to run."""
    interpreter = tmp_path / "emulator"
    interpreter.write_bytes(emulator.program(OWN))
    interpreter.chmod(0o755)
    done = require_other(flags, interpreter)
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip("not run here: this kernel keeps one list of emulators, or no user namespaces")
    assert (done.returncode, done.stdout) == (0, said)


def test_where_the_root_cannot_be_changed_nothing_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert emulator.runs_in_containers(OWN)


if __name__ == "__main__":
    try:
        emulator.require(OTHER)
    except SutraError as error:
        print(error.message)
