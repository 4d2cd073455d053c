"""Debian 13 with its Podman, in its own namespaces: nothing of this machine is changed.

The root is made by mmdebstrap from signed packages, kept, and unpacked into memory; its network
has loopback alone. Killing its first process ends everything in it.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT
from tests.engines import cache
from tests.support import debian_root

SUITE = "trixie"
PACKAGES = (
    "aardvark-dns",
    "catatonit",
    "crun",
    "iptables",
    "netavark",
    "nftables",
    "podman",
    "procps",
    "python3-minimal",
)
READY_SECONDS = 60
# Settings that any machine without systemd needs
CONTAINERS = """
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
default_sysctls = []
"""
# $1: the root's archive, $2: where it is unpacked, $3: what podman keeps on a disk
START = """
mount -t tmpfs -o mode=755 tmpfs "$2"
tar -xf "$1" -C "$2" --exclude=./dev/*
mount --rbind /dev "$2/dev" && mount -t proc proc "$2/proc" && mount -t sysfs sysfs "$2/sys"
mount --rbind /sys/fs/cgroup "$2/sys/fs/cgroup"
# crun takes cgroups of version 1 or of version 2, and not both at once
if mountpoint -q "$2/sys/fs/cgroup/unified"; then umount "$2/sys/fs/cgroup/unified"; fi
mount -t tmpfs -o mode=1777 tmpfs "$2/tmp" && mount -t tmpfs -o mode=755 tmpfs "$2/run"
mkdir -p "$2/var/lib/containers" "$2/srv" "$2/etc/containers"
mount --bind "$3" "$2/var/lib/containers"
printf '%s' "$4" >"$2/etc/containers/containers.conf"
ip link set lo up
# not chroot: a later process in a container's namespace would find this machine's root in it
cd "$2" && pivot_root . . && umount --lazy . && cd /
touch /run/ready
exec sleep infinity
"""


@dataclass(frozen=True)
class Machine:
    """A root that runs: `pid` is its first process."""

    pid: int

    def run(self, *command: str, check: bool = True, given: bytes | None = None) -> str:
        """Return what a command in the machine prints, both streams."""
        done = subprocess.run(
            self._inside(command), input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        text = done.stdout.decode(errors="replace")
        assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{text}"
        return text.strip()

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a command that may take long."""
        return subprocess.Popen(
            self._inside(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def _inside(self, command: tuple[str, ...]) -> list[str]:
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--net", "--uts", "--ipc"]
        variables = ["PATH=/usr/bin:/bin:/usr/sbin:/sbin", "PODMAN_IGNORE_CGROUPSV1_WARNING=1"]
        return [*enter, "env", "-i", *variables, "HOME=/root", *command]

    def put(self, folder: str, *files: Path) -> None:
        """Copy files into a folder of the machine."""
        self.run("mkdir", "-p", folder)
        for file in files:
            self.run("sh", "-c", f"cat >{folder}/{file.name}", given=file.read_bytes())


def archive() -> Path:
    """Return the root as a tar file, made once."""
    command = debian_root.command(PACKAGES)

    def make(file: Path) -> None:
        cache.program("mmdebstrap", *debian_root.MAKERS)
        made = [*command, "--format=tar", SUITE, str(file), *debian_root.mirror()]
        done = subprocess.run(made, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]

    return cache.kept("podman.tar", command, make)


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """Run a machine, and remove it afterwards. Podman keeps its data in `folder`."""
    root, data = folder / "root", folder / "data"
    for each in (root, data):
        each.mkdir(parents=True)
    spaces = ["unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child"]
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [
            *spaces,
            "--mount-proc",
            "--propagation",
            "private",
            "bash",
            "-euc",
            START,
            "start",
            str(archive()),
            str(root),
            str(data),
            CONTAINERS,
        ],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )
    try:
        yield _ready(process, folder / "log")
    finally:
        process.kill()
        process.wait()
        log.close()


def _ready(process: subprocess.Popen[bytes], log: Path) -> Machine:
    """Return the machine once its first process has prepared it."""
    end = time.monotonic() + READY_SECONDS
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        if words := children.read_text().split():
            made = Machine(int(words[0]))
            if Path(f"/proc/{made.pid}/root/run/ready").exists():
                return made
        time.sleep(0.1)
