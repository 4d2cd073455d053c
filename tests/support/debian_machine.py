"""A Debian 13 in its own namespaces: nothing of this machine is changed.

The root is made by mmdebstrap from signed packages, kept, and unpacked into memory; its network
has loopback alone. Killing its first process ends everything in it.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import debian_root

SUITE = "trixie"
READY_SECONDS = 60
# $1: the root's archive, $2: where it is unpacked, $3: a folder on a disk, $4: where it is mounted
START = """
mount -t tmpfs -o mode=755 tmpfs "$2"
tar -xf "$1" -C "$2" --exclude=./dev/*
mount --rbind /dev "$2/dev" && mount -t proc proc "$2/proc" && mount -t sysfs sysfs "$2/sys"
mount --rbind /sys/fs/cgroup "$2/sys/fs/cgroup"
# crun takes cgroups of version 1 or of version 2, and not both at once
if mountpoint -q "$2/sys/fs/cgroup/unified"; then umount "$2/sys/fs/cgroup/unified"; fi
mount -t tmpfs -o mode=1777 tmpfs "$2/tmp" && mount -t tmpfs -o mode=755 tmpfs "$2/run"
mkdir -p "$2$4" "$2/srv"
mount --bind "$3" "$2$4"
ip link set lo up
# not chroot: a later process in a container's namespace would find this machine's root in it
cd "$2" && pivot_root . . && umount --lazy . && cd /
touch /run/ready
exec sleep infinity
"""


@dataclass(frozen=True)
class Kind:
    """What a machine is made of: the name that its root is kept by, and Debian's packages.

    `disk` is the folder of it that is on this machine's disk.
    """

    name: str
    packages: Sequence[str]
    disk: str


@dataclass(frozen=True)
class Machine:
    """A root that runs: `pid` is its first process, `services` what was started in it."""

    pid: int
    services: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def run(self, *command: str, check: bool = True, stdin: bytes | None = None) -> str:
        """Return what a command in the machine prints, both streams."""
        done = subprocess.run(
            self._inside(command), input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        text = done.stdout.decode(errors="replace")
        assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{text}"
        return text.strip()

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a command that may take long."""
        return subprocess.Popen(
            self._inside(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def serve(self, log: Path, *command: str) -> None:
        """Start a program that runs until the machine ends."""
        with log.open("wb") as output:
            process = subprocess.Popen(
                self._inside(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self.services.append(process)

    def _inside(self, command: tuple[str, ...]) -> list[str]:
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--net", "--uts", "--ipc"]
        variables = ["PATH=/usr/bin:/bin:/usr/sbin:/sbin", "PODMAN_IGNORE_CGROUPSV1_WARNING=1"]
        return [*enter, "env", "-i", *variables, "HOME=/root", *command]

    def write(self, path: str, content: str | bytes) -> None:
        """Write a file of the machine, its folders too."""
        data = content.encode() if isinstance(content, str) else content
        script = 'mkdir -p "${0%/*}" && cat >"$0"'
        self.run("sh", "-c", script, path, stdin=data)

    def put(self, folder: str, *files: Path) -> None:
        """Copy files into a folder of the machine."""
        for file in files:
            self.write(f"{folder}/{file.name}", file.read_bytes())

    def install(self, file: Path, name: str) -> None:
        """Copy a program into the machine, under a name that is found there."""
        self.write(f"/usr/bin/{name}", file.read_bytes())
        self.run("chmod", "755", f"/usr/bin/{name}")


@contextmanager
def machine(kind: Kind, folder: Path) -> Iterator[Machine]:
    """Run a machine, and remove it afterwards. What it keeps on a disk is in `folder`/data."""
    root, data = folder / "root", folder / "data"
    for place in (root, data):
        place.mkdir(parents=True)
    spaces = ["unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child"]
    archive = debian_root.kept(kind.name, SUITE, kind.packages)
    words = [str(archive), str(root), str(data), kind.disk]
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [*spaces, "--mount-proc", "--propagation=private", "bash", "-euc", START, "start", *words],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )
    services: list[subprocess.Popen[bytes]] = []
    try:
        yield _ready(process, folder / "log", services)
    finally:
        process.kill()
        process.wait()
        for service in services:
            service.wait()
        log.close()


def _ready(
    process: subprocess.Popen[bytes], log: Path, services: list[subprocess.Popen[bytes]]
) -> Machine:
    """Return the machine once its first process has prepared it."""
    end = time.monotonic() + READY_SECONDS
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        if words := children.read_text().split():
            started = Machine(int(words[0]), services)
            if Path(f"/proc/{started.pid}/root/run/ready").exists():
                return started
        time.sleep(0.1)
