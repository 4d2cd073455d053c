"""Program for the interpreter under test: `probe` passes this file to it as text.

Reads one line of JSON on stdin, `[kind, items, writable]`, and answers each item with
two lines on stdout. A module that is imported finds no input, sees its output go
nowhere, and may write below `writable` and to devices alone.
"""

from __future__ import annotations

import json
import os
import sys

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# audit event → which of its arguments are paths that it changes
CHANGES = {
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.rmdir": (0,),
    "os.mkdir": (0,),
    "os.truncate": (0,),
    "os.symlink": (1,),
    "os.link": (1,),
    "os.chmod": (0,),
    "os.chown": (0,),
    "os.utime": (0,),
}


def guard(writable: str) -> None:
    """Refuse every change of files outside of `writable`, for as long as this process lives."""
    allowed = (writable + "/", "/dev/", "/proc/self/")
    folder, join, abspath, decode = os.getcwd, os.path.join, os.path.abspath, os.fsdecode

    def check(event: str, args: tuple[object, ...]) -> None:
        if event == "open":
            flags = args[2]
            places: tuple[int, ...] = (0,) if isinstance(flags, int) and flags & WRITES else ()
        else:
            places = CHANGES.get(event, ())
        for place in places:
            path = args[place]
            if isinstance(path, str | bytes):
                full = abspath(join(folder(), decode(path)))
                if not full.startswith(allowed) and full != writable:
                    raise PermissionError(13, "the proof writes nothing there", full)

    sys.addaudithook(check)


def ask(kind: str, item: str) -> None:
    """Do what is asked of one item; whatever is wrong is raised."""
    if kind == "import":
        import importlib

        importlib.import_module(item)
    elif kind == "entry point":
        from importlib.metadata import EntryPoint

        EntryPoint("name", item, "group").load()
    elif kind == "load":
        import ctypes

        ctypes.CDLL(item)


def main() -> None:
    """Answer the question on stdin, and leave at once, whatever threads are running."""
    kind, items, writable = json.loads(sys.stdin.readline())
    answers, process = os.dup(1), os.getpid()
    os.dup2(2, 1)  # stderr goes nowhere already; a root that is being made has no /dev/null
    write, leave, dumps = os.write, os._exit, json.dumps
    guard(writable)
    for item in items:
        write(answers, dumps({"start": item}).encode() + b"\n")
        try:
            ask(kind, item)
            problem = ""
        except BaseException as error:
            problem = f"{type(error).__name__}: {error}".splitlines()[0]
        if os.getpid() != process:  # the module forked, and this is the child
            leave(0)
        write(answers, dumps({"end": item, "said": problem}).encode() + b"\n")
    write(answers, b'{"done": true}\n')
    leave(0)


main()
