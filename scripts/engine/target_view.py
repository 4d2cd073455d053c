"""Put the files of a container's first process under /target, read-only, and run a shell.

Run by Python inside a container of tools that shares the processes of the target. The target's
mounts are cloned in its own mount namespace, made read-only with all that is mounted in them, and
moved into ours; what could undo that is then given up. The calls: open_tree(2), mount_setattr(2),
move_mount(2), Linux 5.12 and newer.
"""

import ctypes
import os
import sys
from typing import NoReturn

TARGET = "/target"
# the same on every architecture that Docker runs on (asm-generic/unistd.h)
OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442
AT_FDCWD, AT_RECURSIVE, AT_EMPTY_PATH = -100, 0x8000, 0x1000
CLONE, CLOEXEC = 1, os.O_CLOEXEC
READ_ONLY, NO_SUID, NO_DEV = 0x1, 0x2, 0x4
# flags of move_mount: both ends are descriptors
BOTH_EMPTY_PATHS = 0x4 | 0x40
CLONE_NEWNS = 0x20000
PR_CAPBSET_DROP = 24
# linux/capability.h: sys_chroot, sys_ptrace, sys_admin; then setpcap, which giving up takes
GIVEN_UP = (18, 19, 21, 8)

libc = ctypes.CDLL(None, use_errno=True)


class Attributes(ctypes.Structure):
    """struct mount_attr: what is set, what is cleared, how it propagates, whose ids."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "users")]


def checked(what: str, result: int) -> int:
    """Return what a function of libc returned. Raises OSError where it failed."""
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), what)
    return result


def call(what: str, number: int, *words: object) -> int:
    """Make one system call. Raises OSError."""
    return checked(what, libc.syscall(number, *words))


def show(pid: int) -> None:
    """Mount the files of process `pid` under TARGET, read-only."""
    ours = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    theirs = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
    os.makedirs(TARGET, exist_ok=True)
    place = os.open(TARGET, os.O_PATH)
    checked("setns", libc.setns(theirs, CLONE_NEWNS))
    tree = call("open_tree", OPEN_TREE, AT_FDCWD, b"/", CLONE | AT_RECURSIVE | CLOEXEC)
    attributes = Attributes(READ_ONLY | NO_SUID | NO_DEV, 0, 0, 0)
    size = ctypes.sizeof(attributes)
    flags = AT_EMPTY_PATH | AT_RECURSIVE
    call("mount_setattr", MOUNT_SETATTR, tree, b"", flags, ctypes.byref(attributes), size)
    checked("setns", libc.setns(ours, CLONE_NEWNS))
    call("move_mount", MOVE_MOUNT, tree, b"", place, b"", BOTH_EMPTY_PATHS)


def give_up() -> None:
    """Have no program that is started from here get what could change the target."""
    for capability in GIVEN_UP:
        checked("prctl", libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0))


def fail(problem: str, tip: str) -> NoReturn:
    """Print what is wrong and what helps, and exit."""
    print(f"debug: {problem}\ntip: {tip}", file=sys.stderr)
    raise SystemExit(2)


def main(pid: str, *command: str) -> None:
    """Show the process's files, give up what could change them, and become the command."""
    try:
        if pid != "0":
            show(int(pid))
            give_up()
    except OSError as error:
        fail(f"cannot show the target's files: {error}", "docs/debugging.md says what still works")
    os.chdir(TARGET if os.path.isdir(TARGET) else "/")
    try:
        os.execvp(command[0], command)  # noqa: S606 - what the user asked for
    except OSError as error:
        fail(
            f'COMMAND: cannot be started "{command[0]}": {error.strerror}',
            "TOOLS=… names an image that has it",
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
