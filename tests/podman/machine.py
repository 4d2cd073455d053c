"""Debian 13 with its Podman, and the settings that any machine without systemd needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import debian_machine
from tests.support.debian_machine import Kind, Machine

KIND = Kind(
    "podman",
    (
        "aardvark-dns",
        "catatonit",
        "crun",
        "iptables",
        "netavark",
        "nftables",
        "podman",
        "procps",
        "python3-minimal",
    ),
    "/var/lib/containers",
)
CONTAINERS = """
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
default_sysctls = []
"""


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """Run a machine, and remove it afterwards. Podman keeps its data in `folder`."""
    with debian_machine.machine(KIND, folder) as host:
        host.write("/etc/containers/containers.conf", CONTAINERS)
        yield host
