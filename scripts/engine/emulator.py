"""Find out whether this machine runs programs of another architecture, by running one.

The program is static, has a few bytes, and ends with 0. Debian's package qemu-user-static
registers an emulator with the kernel (binfmt_misc), for containers as well.
"""

from __future__ import annotations

import os
import struct
import subprocess
import tempfile
from pathlib import Path

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
# exit code of chroot for a program that is not there, nor what would run it
NOT_FOUND = 127
TIP = "install Debian's qemu-user-static, or build on a node of that platform: docs/build-farm.md"
TIP_FLAG = "Debian's qemu-user-static registers it with that flag: `apt install qemu-user-static`"


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


def runs_in_containers(architecture: str) -> bool:
    """Return whether a program of `architecture` runs in another root too, as a container's does.

    The kernel looks for an emulator without the flag F in the root of the program, where it is
    not. True also where that cannot be tried: it takes root.
    """
    with tempfile.TemporaryDirectory(prefix="sutra-emulator-") as root:
        file = Path(root) / "program"
        file.write_bytes(program(architecture))
        file.chmod(0o755)
        try:
            done = subprocess.run(
                ["chroot", root, "/program"], capture_output=True, timeout=SECONDS
            )
        except (OSError, subprocess.TimeoutExpired):
            return True
    return done.returncode != NOT_FOUND


def require(architecture: str) -> None:
    """Raise SutraError where no program of `architecture` runs on this machine, in containers."""
    name = platforms.name_of(architecture)
    if not runs(architecture):
        raise SutraError(f'{platforms.KNOB}: no emulator for "{name}"', TIP)
    if not runs_in_containers(architecture):
        raise SutraError(
            f'{platforms.KNOB}: containers have no emulator for "{name}": it is registered '
            "without the flag F",
            TIP_FLAG,
        )
