"""Find out whether this machine runs programs of another architecture, by running one.

The program is static, has a few bytes, and ends with 0. Debian's package qemu-user-static
registers an emulator with the kernel (binfmt_misc), for containers as well.
"""

from __future__ import annotations

import os
import struct
import subprocess

from scripts.common import platforms
from scripts.common.errors import SutraError

# machine in an ELF header, and the instructions of exit(0): Linux's system call 93, and 60
PROGRAMS = {
    "arm64": (183, bytes.fromhex("000080d2a80b80d2010000d4")),
    "amd64": (62, bytes.fromhex("31ffb83c0000000f05")),
}
# address at which the program is loaded
ADDRESS = 0x400000
HEADERS = 64 + 56
SECONDS = 30
TIP = "install Debian's qemu-user-static, or build on a node of that platform: docs/build-farm.md"


def program(architecture: str) -> bytes:
    """Return an ELF file whose only segment is exit(0). Source: man 5 elf."""
    machine, code = PROGRAMS[architecture]
    size = HEADERS + len(code)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01",
        2,
        machine,
        1,
        ADDRESS + HEADERS,
        64,
        0,
        0,
        64,
        56,
        1,
        64,
        0,
        0,
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, ADDRESS, ADDRESS, size, size, 0x1000)
    return header + segment + code


def runs(architecture: str) -> bool:
    """Return whether this machine runs a program of `architecture`."""
    try:
        # in memory: a temporary folder may be mounted noexec
        with open(os.memfd_create("program"), "wb", buffering=0) as file:
            file.write(program(architecture))
            number = file.fileno()
            path = f"/proc/self/fd/{number}"
            done = subprocess.run([path], pass_fds=(number,), capture_output=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def require(architecture: str) -> None:
    """Raise SutraError where this machine runs no program of `architecture`."""
    if not runs(architecture):
        raise SutraError(
            f'{platforms.KNOB}: no emulator for "{platforms.name_of(architecture)}"', TIP
        )
