"""Hosts of a swarm on one machine: each is a dockerd in its own namespaces, with its own address.

A switch namespace joins them, and a registry listens there: nothing is in the machine's own
network. A host's dockerd is the first process of a PID namespace, so that killing it kills all
that runs on the host, containers too, as a loss of power does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import ROOT
from tests.support import registries
from tests.support.running import running

NETWORK = "10.77.0"
REGISTRY = f"{NETWORK}.254:5000"
READY_SECONDS = 60
# command that gives the network namespace its own /sys, with the machine's cgroups
START = """
hostname "$1"
mkdir -p /run/cgroups && mount --rbind /sys/fs/cgroup /run/cgroups
mount -t sysfs sysfs /sys && mount --rbind /run/cgroups /sys/fs/cgroup
exec dockerd --config-file "$2/daemon.json"
"""


@dataclass
class Host:
    """One machine: its name, the last number of its address, the folder with its data."""

    name: str
    number: int
    folder: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """Its address on the switch."""
        return f"{NETWORK}.{self.number}"

    @property
    def engine(self) -> str:
        """Return the value of DOCKER_HOST for it."""
        return f"unix://{self.folder}/docker.sock"

    def inside(
        self, *command: str, check: bool = True, **knobs: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the host's network, with its engine."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SUTRA_", "COMPOSE"))}
        done = subprocess.run(
            ["ip", "netns", "exec", self.name, *command],
            cwd=ROOT,
            text=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env={**inherited, "DOCKER_HOST": self.engine, **knobs},
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def docker(self, *words: str) -> str:
        """Return what the docker command prints."""
        return self.inside("docker", *words).stdout.strip()

    def start(self) -> None:
        """Start the engine, and return when it answers."""
        settings = {
            "data-root": f"{self.folder}/data",
            "exec-root": f"{self.folder}/exec",
            "pidfile": f"{self.folder}/pid",
            "hosts": [self.engine],
            "cgroup-parent": f"/{self.name}",
            "insecure-registries": [REGISTRY],
            "features": {"containerd-snapshotter": True},
        }
        (self.folder / "daemon.json").write_text(json.dumps(settings))
        for stale in ("pid", "exec"):  # as after a loss of power
            path = self.folder / stale
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        # not `ip netns exec`, which mounts another /sys, without the cgroups
        enter = ["nsenter", f"--net=/run/netns/{self.name}", "unshare", "--mount", "--uts", "--pid"]
        enter += ["--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
        with (self.folder / "dockerd.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*enter, "bash", "-euc", START, "dockerd", self.name, str(self.folder)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        end = time.monotonic() + READY_SECONDS
        while self.inside("docker", "version", check=False).returncode:
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < end, self.log()
            time.sleep(0.3)

    def kill(self) -> None:
        """Kill the host and everything on it, without notice."""
        if self.process:
            self.process.kill()  # with it goes its PID namespace: --kill-child
            self.process.wait()
            self.process = None

    def log(self) -> str:
        """Return the last of what the engine wrote."""
        return (self.folder / "dockerd.log").read_text(errors="replace")[-3000:]


def ip(*words: str) -> None:
    """Run one command of iproute2."""
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def switch(name: str) -> Iterator[None]:
    """A network namespace with a bridge, to which hosts are joined."""
    ip("netns", "add", name)
    try:
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "link", "add", "br0", "type", "bridge")
        ip("-n", name, "link", "set", "br0", "up")
        ip("-n", name, "addr", "add", f"{NETWORK}.254/24", "dev", "br0")
        yield
    finally:
        ip("netns", "delete", name)


@contextmanager
def host(middle: str, name: str, number: int, folder: Path) -> Iterator[Host]:
    """Run a host that is joined to the switch, and remove it afterwards."""
    started = Host(name, number, folder)
    folder.mkdir(parents=True)
    ip("netns", "add", name)
    try:
        ip("-n", name, "link", "set", "lo", "up")
        peer = ("type", "veth", "peer", "name", "eth0", "netns", name)
        ip("-n", middle, "link", "add", f"p{number}", *peer)
        ip("-n", middle, "link", "set", f"p{number}", "master", "br0", "up")
        ip("-n", name, "addr", "add", f"{started.address}/24", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        ip("-n", name, "route", "add", "default", "via", f"{NETWORK}.254")
        started.start()
        yield started
    finally:
        started.kill()
        ip("netns", "delete", name)
        remove(folder)


def remove(folder: Path) -> None:
    """Remove the files of a killed engine, once its last mount is gone."""
    for _ in range(50):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.2)
    raise AssertionError(f"still there: {folder}")


@contextmanager
def registry(middle: str, folder: Path) -> Iterator[None]:
    """Debian's docker-registry at the switch."""
    config = folder / "registry.yml"
    config.write_text(json.dumps(registries.settings(REGISTRY, folder / "registry")))
    serve = ("ip", "netns", "exec", middle, registries.program(), "serve", str(config))
    with running(folder / "registry.log", *serve):
        yield


@contextmanager
def hosts(folder: Path, count: int) -> Iterator[list[Host]]:
    """Several hosts on one switch with a registry; the first manages a swarm of all of them."""
    prefix = f"sw{os.getpid()}"
    with ExitStack() as stack:
        stack.enter_context(switch(f"{prefix}-0"))
        stack.enter_context(registry(f"{prefix}-0", folder))
        machines = [
            stack.enter_context(host(f"{prefix}-0", f"{prefix}-{n}", n, folder / str(n)))
            for n in range(1, count + 1)
        ]
        first, *others = machines
        first.docker("swarm", "init", "--advertise-addr", first.address)
        token = first.docker("swarm", "join-token", "--quiet", "worker")
        for worker in others:
            worker.docker(
                "swarm",
                "join",
                "--advertise-addr",
                worker.address,
                "--token",
                token,
                f"{first.address}:2377",
            )
        yield machines
