"""Find the mount that is a container's root, as soon as the engine makes it.

The engine mounts it before the container's first process begins: what the dynamic loader and
the interpreter open is seen only by one who is as early.
"""

from __future__ import annotations

import re
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.engine import client as engine

if TYPE_CHECKING:
    from docker.models.containers import Container

MOUNTS = Path("/proc/self/mountinfo")
KIND = "overlay"
# milliseconds after which the list is read again, although the kernel reported no change
POLL_MS = 20
# mountinfo writes spaces, tabs, line breaks and backslashes as "\040"
ESCAPED = re.compile(r"\\([0-7]{3})")


def find(mounts: str, identity: str, merged: str = "") -> str:
    """Return where the root of container `identity` is mounted, "" where it is not.

    `mounts` is the text of mountinfo (proc_pid_mountinfo(5)). `merged` is the place that the
    engine names; one with containerd's store names none, but its place has the container's id.
    """
    for line in mounts.splitlines():
        mount, _, filesystem = line.partition(" - ")
        fields = mount.split(" ")
        if len(fields) < 6 or filesystem.split(" ")[0] != KIND:
            continue
        place = ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[4])
        if place == merged or identity in place.split("/"):
            return place
    return ""


def merged_folder(container: Container) -> str:
    """Return where the engine's classic store mounts a container's root, "" of another store."""
    with engine.request("inspect a container"):
        data = (container.attrs.get("GraphDriver") or {}).get("Data") or {}
        return str(data.get("MergedDir") or "")


@contextmanager
def when_mounted(container: Container, look: Callable[[str], None]) -> Iterator[None]:
    """Call `look` with the place of the container's root once it is mounted, from a thread.

    What `look` raises is raised at the end of the block, if that raised nothing itself.
    """
    identity, merged = str(container.id), merged_folder(container)
    stop, errors = threading.Event(), list[BaseException]()

    def watch() -> None:
        try:
            _watch(identity, merged, look, stop)
        except BaseException as error:  # raised by the caller's thread
            errors.append(error)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if errors:
        raise errors[0]


def _watch(identity: str, merged: str, look: Callable[[str], None], stop: threading.Event) -> None:
    with MOUNTS.open(encoding="utf-8", errors="surrogateescape") as file:
        changes = select.poll()
        changes.register(file, select.POLLERR | select.POLLPRI)
        is_over = False
        while not is_over:
            is_over = stop.is_set()  # before the last look
            file.seek(0)
            if place := find(file.read(), identity, merged):
                with suppress(FileNotFoundError):  # unmounted again meanwhile
                    look(place)
                    return
            changes.poll(POLL_MS)
