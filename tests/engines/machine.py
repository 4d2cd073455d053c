"""A machine of another Debian release: a container with its own engines, and a checkout in /src.

The container is privileged, since engines in it mount and make namespaces; all that they
write is on a volume and in a layer that go with it. Nothing of this machine is mounted but
the certificates that it trusts.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.models.containers import Container

from tests.conftest import ROOT
from tests.engines import cache, debian
from tests.support.tracked import present

SOURCE = "/src"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# knobs that say where packages come from
MIRRORS = ("APT_MIRROR", "PIP_INDEX_URL", "CARGO_REGISTRY")
READY_SECONDS = 60
# On cgroup v2 a group that contains processes cannot pass controllers on to containers.
# Source: hack/dind of moby/moby.
DELEGATE_CGROUPS = """
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  mkdir -p /sys/fs/cgroup/init
  # some have ended meanwhile
  xargs -rn1 < /sys/fs/cgroup/cgroup.procs > /sys/fs/cgroup/init/cgroup.procs || true
  sed -e 's/ / +/g' -e 's/^/+/' < /sys/fs/cgroup/cgroup.controllers \
    > /sys/fs/cgroup/cgroup.subtree_control
fi
exec sleep infinity
"""


@dataclass(frozen=True)
class Done:
    """The exit code of a command, and everything that it wrote."""

    code: int
    text: str


@dataclass(frozen=True)
class Machine:
    """A container that runs, and the release that it is."""

    suite: str
    container: Container

    def run(self, *command: str, folder: str = SOURCE, **environment: str) -> Done:
        """Run a command to its end, with a knob for each mirror that is set here."""
        mirrors = {name: os.environ[name] for name in MIRRORS if os.environ.get(name)}
        variables = [f"--env={name}={value}" for name, value in (mirrors | environment).items()]
        call = ["docker", "exec", f"--workdir={folder}", *variables, str(self.container.id)]
        done = subprocess.run(
            [*call, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        return Done(done.returncode, done.stdout)

    def start(self, *command: str) -> None:
        """Start a program that stays, its output in /var/log/NAME.log."""
        script = 'exec "$@" >"/var/log/$(basename "$1").log" 2>&1'
        self.container.exec_run(["sh", "-c", script, "_", *command], detach=True)

    def log(self, name: str) -> str:
        """Return the last of what a started program wrote."""
        return self.run("tail", "-n", "20", f"/var/log/{name}.log", folder="/").text

    def put(self, folder: str, files: Mapping[str, bytes | Path], mode: int = 0o644) -> None:
        """Write files, by their path below `folder`, which is made if it is missing."""
        sink = io.BytesIO()
        with tarfile.open(fileobj=sink, mode="w") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(f"{folder.strip('/')}/{name}")
                data = content.read_bytes() if isinstance(content, Path) else content
                executable = isinstance(content, Path) and os.access(content, os.X_OK)
                member.size, member.mode = len(data), 0o755 if executable else mode
                archive.addfile(member, io.BytesIO(data))
        self.container.put_archive("/", sink.getvalue())

    def read(self, path: str) -> bytes:
        """Return what a file of the machine holds."""
        stream, _ = self.container.get_archive(path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
            member = archive.next()
            assert member
            content = archive.extractfile(member)
            assert content
            return content.read()

    @contextmanager
    def engine(self, containerd_store: bool) -> Iterator[None]:
        """Run the release's engine with one of its two image stores."""
        settings = {"features": {"containerd-snapshotter": containerd_store}}
        self.put("/etc/docker", {"daemon.json": json.dumps(settings).encode()})
        self.start("dockerd")
        try:
            self.wait("dockerd", "docker", "version")
            yield
        finally:
            self.stop("dockerd")

    def wait(self, name: str, *command: str) -> None:
        """Return as soon as the command ends well, which says that `name` answers."""
        end = time.monotonic() + READY_SECONDS
        while self.run(*command, folder="/").code:
            assert time.monotonic() < end, self.log(name)
            time.sleep(0.3)

    def stop(self, name: str) -> None:
        """End a started program, and return when it is gone."""
        self.run("pkill", "-x", name, folder="/")
        end = time.monotonic() + READY_SECONDS
        while self.run("pgrep", "-x", name, folder="/").code == 0:
            assert time.monotonic() < end, self.log(name)
            time.sleep(0.1)


@contextmanager
def machine(client: docker.DockerClient, suite: str) -> Iterator[Machine]:
    """Run a machine of Debian's `suite` with this checkout in it, and remove it afterwards."""
    with image(client, suite) as reference, running(client, suite, reference) as started:
        yield started


@contextmanager
def running(client: docker.DockerClient, suite: str, reference: str) -> Iterator[Machine]:
    """Run a machine from the release's image, which is loaded already."""
    container = client.containers.create(
        reference,
        ["sh", "-c", DELEGATE_CGROUPS],
        init=True,
        privileged=True,
        cgroupns="private",
        volumes=[*certificates(), "/var/lib/docker"],
    )
    try:
        container.start()
        started = Machine(suite, container)
        check_out(started)
        yield started
    finally:
        container.remove(v=True, force=True)


def certificates() -> list[str]:
    """Return the mount of the certificates that are trusted here: a private CA may be in them."""
    bundle = Path(os.environ.get("CA_BUNDLE") or CERTIFICATES)
    return [f"{bundle.resolve()}:{CERTIFICATES}:ro"] if bundle.exists() else []


@contextmanager
def image(client: docker.DockerClient, suite: str) -> Iterator[str]:
    """Load the release into the engine under a tag that only this run uses."""
    archive, loaded = debian.archive(suite), f"{debian.REPOSITORY}:{suite}"
    own = f"{suite}-{os.getpid()}"
    with cache.locked("load"):
        with archive.open("rb") as file:
            client.images.load(file)
        client.api.tag(loaded, debian.REPOSITORY, own)
        # forced, since another run's machine may use the same image: only the tag is removed
        client.api.remove_image(loaded, force=True, noprune=True)
    try:
        yield f"{debian.REPOSITORY}:{own}"
    finally:
        client.api.remove_image(f"{debian.REPOSITORY}:{own}", force=True)


def check_out(machine: Machine) -> None:
    """Put this checkout's present files into the machine, as a new commit."""
    files = {name: ROOT / name for name in present()}
    # the root that was bootstrapped here is used again
    kept = [path for path in (ROOT / ".cache/roots").rglob("*") if ".partial-" not in str(path)]
    roots = {str(path.relative_to(ROOT)): path for path in kept if path.is_file()}
    machine.put(SOURCE, files | roots)
    commit(machine, SOURCE)


def commit(machine: Machine, folder: str) -> None:
    """Make a folder of the machine a repository with one commit."""
    author = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "as it is"]):
        done = machine.run("git", *author, *command, folder=folder)
        assert done.code == 0, done.text
