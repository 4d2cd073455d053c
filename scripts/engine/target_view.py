"""Put the files of a container's first process under /target, read-only, and run a shell.

Run by Python inside a container of tools that shares the processes of the target. The target's
mounts are cloned in its own mount namespace, made read-only with all that is mounted in them, and
moved into ours; what could undo that is then given up, root's own user as well: it may end, trace
and write to whatever root has in the target. The calls: open_tree(2), mount_setattr(2),
move_mount(2), Linux 5.12 and newer; capabilities(7) for the rest.
"""

import ctypes
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
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
PR_SET_KEEPCAPS, PR_CAPBSET_DROP, PR_CAP_AMBIENT, AMBIENT_RAISE = 8, 24, 47, 2
# linux/capability.h: setgid, setuid, sys_chroot, sys_ptrace, sys_admin; then setpcap, which
# giving up takes
GIVEN_UP = (6, 7, 18, 19, 21, 8)
# dac_read_search, which stays: it reads every file
KEPT = 2
CAPABILITY_VERSION = 0x20080522
# the largest user that a shell gets: 65534 is nobody's, which services take
HIGHEST_USER = 65533
# number of characters of a container's id; a process has fewer
ID = 64

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


class Header(ctypes.Structure):
    """struct __user_cap_header_struct: of the calling thread."""

    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


def give_up(user: int) -> None:
    """Become `user`, and have no program that is started from here change the target.

    Every capability is lost but the one to read.
    """
    for capability in GIVEN_UP:
        checked("prctl", libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0))
    checked("prctl", libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    kept = 1 << KEPT
    # two halves of effective, permitted and inheritable ones
    sets = (ctypes.c_uint32 * 6)(kept, kept, kept, 0, 0, 0)
    checked("capset", libc.capset(ctypes.byref(Header(CAPABILITY_VERSION, 0)), sets))
    checked("prctl", libc.prctl(PR_CAP_AMBIENT, AMBIENT_RAISE, KEPT, 0, 0))


def name_user(user: int) -> None:
    """Give `user` a name in the container of the tools, which a shell's prompt shows."""
    with suppress(OSError), open("/etc/passwd", "a") as file:  # read-only tools: a number will do
        file.write(f"debug:x:{user}:{user}::/tmp:/bin/sh\n")


def pass_on(descriptors: Iterable[int]) -> None:
    """Let another user open what root has opened, as `>/dev/stderr` and a terminal do."""
    for descriptor in descriptors:
        with suppress(OSError):  # another one's, which that user writes to as it is
            os.fchmod(descriptor, 0o666)


def processes() -> Iterator[int]:
    """Yield the processes that are seen here, the oldest first."""
    yield from sorted(int(name) for name in os.listdir("/proc") if name.isdigit())


def content(pid: int, name: str) -> str:
    """Return a file of a process, "" of one that has ended."""
    try:
        with open(f"/proc/{pid}/{name}", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def first_process(container: str) -> int:
    """Return the first process of a container that shares the processes of others.

    Raises OSError where none is its.
    """
    for pid in processes():
        if container in content(pid, "cgroup"):
            return pid
    raise OSError(f"no process is of container {container[:12]}")


def free_user() -> int:
    """Return a user whom no process seen here has."""
    lines = [line for pid in processes() for line in content(pid, "status").splitlines()]
    used = {int(user) for line in lines if line.startswith("Uid:") for user in line.split()[1:]}
    return next(user for user in range(HIGHEST_USER, 0, -1) if user not in used)


def fail(problem: str, tip: str) -> NoReturn:
    """Print what is wrong and what helps, and exit."""
    print(f"debug: {problem}\ntip: {tip}", file=sys.stderr)
    raise SystemExit(2)


def main(first: str, *command: str) -> None:
    """Show the files of a process, give up what could change them, and become the command.

    `first` is the number of that process, the id of its container, or "0" for no process.
    """
    try:
        if first != "0":
            show(int(first) if len(first) < ID else first_process(first))
            pass_on((0, 1, 2))
            name_user(user := free_user())
            give_up(user)
            os.environ["HOME"] = "/tmp"  # noqa: S108 - of a container that ends with the shell
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
