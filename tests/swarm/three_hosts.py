"""The stack on a swarm of three hosts, while hosts fail and versions change.

`make test-swarm` runs it; the tests are in their order, each on what the one before left.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.swarm.hosts import REGISTRY, Host, hosts

IMAGES = ("sutra-api", "sutra-hybrid", "sutra-storage-server")
KEY = "0123456789abcdef0123456789abcdef"
PROJECT = f"sutra-test-swarm-{os.getpid()}"
PATIENCE = 180
# program that calls the API in a host's network, where its port is: method, path, body
ASK = f"""
import http.client, sys
asked = http.client.HTTPConnection("127.0.0.1", 8000, timeout=10)
headers = {{"Content-Type": "application/json", "Authorization": "Bearer {KEY}"}}
asked.request(*sys.argv[1:3], sys.argv[3] or None, headers)
answer = asked.getresponse()
print(answer.status, answer.read().decode())
"""


@dataclass
class Stack:
    """The deployed stack, and every write that was acknowledged."""

    hosts: list[Host]
    tag: str
    folder: Path
    written: set[str] = field(default_factory=set)

    def deploy(self, *words: str, **knobs: str) -> subprocess.CompletedProcess[str]:
        """Run ./sutra-deploy.sh on the manager."""
        ours = {"SUTRA_PROJECT": PROJECT, "SUTRA_TAG": self.tag, "REGISTRY": f"{REGISTRY}/team"}
        ours |= {"SUTRA_PULL": "always", "SUTRA_API_KEY": KEY, "SUTRA_HYBRID_MEMORY": "1g"}
        call = ["./sutra-deploy.sh", *words, "TARGET=swarm", "PUBLISH=host"]
        return self.hosts[0].inside(*call, check=False, **(ours | knobs))

    def ask(self, method: str, path: str, body: str = "") -> tuple[int, Any]:
        """Return status and body of the API's answer, wherever it runs; 0 if it runs nowhere."""
        for host in self.hosts:
            if host.process:
                done = host.inside("python3", "-c", ASK, method, path, body, check=False)
                if done.returncode == 0:
                    status, _, text = done.stdout.strip().partition(" ")
                    return int(status), json.loads(text) if text else None
        return 0, None

    def write(self, name: str) -> int:
        """Write a concept; remember it when that was acknowledged."""
        status, _ = self.ask("PUT", f"/concepts/{name}", json.dumps({"text": name}))
        if status in (200, 201):
            self.written.add(name)
        return status

    def lost(self) -> set[str]:
        """Return the acknowledged writes that are not there; wait while nobody can say."""
        return {name for name in self.written if self.look(name) == 404}

    def look(self, name: str) -> int:
        """Return 200 where a concept is there, 404 where it is not."""
        statuses: list[int] = []

        def answered() -> bool:
            statuses.append(self.ask("GET", f"/concepts/{name}")[0])
            return statuses[-1] in (200, 404)

        wait_for(answered, "nobody answers")
        return statuses[-1]

    def where(self, service: str) -> list[str]:
        """Return the hosts where replicas of a service are to run and do."""
        text = self.hosts[0].docker(
            "service",
            "ps",
            "--filter",
            "desired-state=running",
            "--format",
            "{{.Node}} {{.CurrentState}}",
            f"{PROJECT}_{service}",
        )
        lines = [line.split() for line in text.splitlines()]
        return [words[0] for words in lines if words[1:2] == ["Running"]]

    def host(self, name: str) -> Host:
        """Return a host by its name."""
        (match,) = (host for host in self.hosts if host.name == name)
        return match

    def container(self, service: str) -> tuple[Host, str]:
        """Return the host and the container of a service's one replica."""
        (name,) = self.where(service)
        host = self.host(name)
        identity = host.docker("ps", "--quiet", "--filter", f"name={PROJECT}_{service}.")
        return host, identity


def wait_for(look: Callable[[], bool], problem: str) -> float:
    """Wait until `look` returns true; return how many seconds that took."""
    started = time.monotonic()
    while not look():
        assert time.monotonic() - started < PATIENCE, problem
        time.sleep(1)
    return time.monotonic() - started


@pytest.fixture(scope="module")
def stack(tag: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack on three hosts: the first manages, the last has the data."""
    folder = tmp_path_factory.mktemp("swarm")
    file = ROOT / ".build/swarm/stack.yml"
    file.unlink(missing_ok=True)
    with hosts(folder, 3) as machines:
        manager = machines[0]
        push(manager, tag)
        manager.docker(
            "node", "update", "--label-add", f"org.sutra.data={PROJECT}", machines[2].name
        )
        stack = Stack(machines, tag, folder)
        done = stack.deploy("up")
        assert done.returncode == 0, done.stdout + done.stderr + manager.log()
        yield stack
        done = stack.deploy("down")
        assert done.returncode == 0, done.stderr
    file.unlink(missing_ok=True)


def push(manager: Host, tag: str) -> None:
    """Take the images under test from this machine's engine to the swarm's registry."""
    names = [f"{name}:{tag}" for name in IMAGES]
    with subprocess.Popen(["docker", "save", *names], stdout=subprocess.PIPE) as saved:
        subprocess.run(["docker", "--host", manager.engine, "load"], stdin=saved.stdout, check=True)
    for name in names:
        manager.docker("tag", name, f"{REGISTRY}/team/{name}")
        manager.docker("push", "--quiet", f"{REGISTRY}/team/{name}")
    # a bad version of the API: it lives, and answers nobody on its port
    manager.docker("tag", f"sutra-storage-server:{tag}", f"{REGISTRY}/team/sutra-api:bad")
    manager.docker("push", "--quiet", f"{REGISTRY}/team/sutra-api:bad")


def test_all_of_it_runs(stack: Stack) -> None:
    assert stack.deploy("status").returncode == 0
    assert stack.where("sutra-storage") == [stack.hosts[2].name]
    wait_for(lambda: stack.write("first") == 201, "no write was taken")
    assert stack.ask("GET", "/concepts/first")[0] == 200


def test_nobody_writes_without_the_key(stack: Stack) -> None:
    host, _ = stack.container("sutra-api")
    script = ASK.replace(KEY, "f" * 32)
    done = host.inside("python3", "-c", script, "GET", "/concepts/first", "")
    assert done.stdout.startswith("401 ")


def test_a_container_is_as_hardened_as_composes(stack: Stack) -> None:
    for service, pids in (("sutra-api", 64), ("sutra-storage", 64), ("sutra-hybrid", 128)):
        host, identity = stack.container(service)
        (seen,) = json.loads(host.docker("inspect", identity))
        settings = seen["HostConfig"]
        assert seen["Config"]["User"] == "10001:10001"
        assert settings["ReadonlyRootfs"] is True
        assert settings["CapDrop"] == ["ALL"]
        assert settings["PidsLimit"] == pids
        assert settings["Memory"] > 0
        assert not any("KEY=" in variable for variable in seen["Config"]["Env"])
    host, identity = stack.container("sutra-api")
    code = "print(*[l for l in open('/proc/mounts') if l.split()[1] == '/tmp'])"
    options = host.docker("exec", identity, "python", "-c", code).split()[3].split(",")
    assert {"rw", "noexec", "nosuid", "nodev", "size=16384k"} <= set(options)
    code = "import os; s = os.stat('/run/secrets/storage-key'); print(oct(s.st_mode), s.st_uid)"
    assert host.docker("exec", identity, "python", "-c", code) == "0o100400 10001"


def test_a_host_that_is_lost_takes_no_acknowledged_write_with_it(stack: Stack) -> None:
    home = stack.hosts[2]
    for number in range(20):
        stack.write(f"before-{number}")
    home.kill()
    statuses = {stack.write(f"meanwhile-{number}") for number in range(3)}
    assert not statuses & {200, 201}  # nothing is acknowledged that nobody keeps
    home.start()
    seconds = wait_for(lambda: stack.write("after") in (200, 201), "the storage did not come back")
    assert stack.where("sutra-storage") == [home.name]
    assert stack.lost() == set()
    print(
        f"storage's host killed: back after {seconds:.0f} s, "
        f"{len(stack.written)} acknowledged writes, none lost"
    )


def test_a_host_that_is_drained_gives_its_replicas_away(stack: Stack) -> None:
    (before,) = stack.where("sutra-api")
    stack.hosts[0].docker("node", "update", "--availability", "drain", before)
    try:
        if before == stack.hosts[2].name:  # the data's own host: the storage waits for it
            pytest.fail("the API runs beside the storage; the scheduler spreads them")
        started = time.monotonic()
        wait_for(lambda: before not in stack.where("sutra-api"), "it did not leave")
        wait_for(lambda: stack.write("drained") in (200, 201), "the API went nowhere")
        seconds = time.monotonic() - started
        print(f"API's host drained: it answers elsewhere after {seconds:.0f} s")
    finally:
        stack.hosts[0].docker("node", "update", "--availability", "active", before)
    assert stack.lost() == set()


def test_a_bad_update_is_taken_back(stack: Stack) -> None:
    override = stack.folder / "bad.yml"
    override.write_text(f"services: {{sutra-api: {{image: '{REGISTRY}/team/sutra-api:bad'}}}}\n")
    done = stack.deploy("up", SUTRA_COMPOSE_OVERRIDE=str(override))
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"sutra-deploy: up: {PROJECT}_sutra-api went back to what it was\n" in done.stderr
    wait_for(lambda: stack.write("rolled-back") in (200, 201), "the old version does not serve")
    assert stack.lost() == set()


def test_an_edited_stack_file_is_not_deployed(stack: Stack) -> None:
    file = ROOT / ".build/swarm/stack.yml"
    written = file.read_text()
    file.write_text(written.replace("read_only: true", "read_only: false"))
    try:
        done = stack.deploy("up")
        assert (done.returncode, done.stderr.splitlines()) == (
            2,
            [
                ".build/swarm/stack.yml: edited by hand, nothing was deployed",
                "tip: put the change into docker-compose.override.yml, then "
                "`rm .build/swarm/stack.yml`",
            ],
        )
    finally:
        file.write_text(written)


def test_an_unpinned_volume_is_not_deployed(stack: Stack) -> None:
    manager, home = stack.hosts[0], stack.hosts[2]
    manager.docker("node", "update", "--label-rm", "org.sutra.data", home.name)
    try:
        done = stack.deploy("up")
        assert done.returncode == 2
        assert f"swarm: no node has the label org.sutra.data={PROJECT}: " in done.stderr
    finally:
        manager.docker("node", "update", "--label-add", f"org.sutra.data={PROJECT}", home.name)
    assert stack.lost() == set()


def test_a_tag_that_the_registry_does_not_have_changes_nothing(stack: Stack) -> None:
    done = stack.deploy("up", SUTRA_TAG="9.9.9")
    assert done.returncode == 2
    assert "not in the registry" in done.stderr
    assert stack.deploy("status").returncode == 0


def test_it_is_up_again_with_nothing_lost(stack: Stack) -> None:
    done = stack.deploy("up")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: stack.write("last") in (200, 201), "no write was taken")
    assert stack.lost() == set()
    print(f"{len(stack.written)} acknowledged writes, none lost")
