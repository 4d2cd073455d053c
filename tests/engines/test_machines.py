"""`make engine` on machines that lack a right, a disk for overlays, a group or a context."""

from __future__ import annotations

from typing import Any

import docker
import pytest

from tests.conftest import ROOT

ELSEWHERE = "or point DOCKER_HOST at an engine elsewhere"
PRIVILEGED = f"tip: start this container with --privileged, {ELSEWHERE}"
DISK = {"/var/lib/docker": "size=1g"}
UNCONFINED = ["seccomp=unconfined", "apparmor=unconfined"]
# a copy, so that an engine's files stay out of this checkout
COPY = "exec 2>&1; mkdir /copy && cp -r /checkout/scripts /copy/ && cd /copy\n"
STARTED = "engine: starting dockerd (log: .cache/engine/dockerd.log)"


def run(client: docker.DockerClient, reference: str, script: str, **options: Any) -> list[str]:
    """Run a script in a new container; return the lines that it wrote."""
    volumes = [f"{ROOT}/scripts:/checkout/scripts:ro"]
    container = client.containers.create(
        reference, ["bash", "-c", COPY + script], volumes=volumes, init=True, **options
    )
    try:
        container.start()
        container.wait(timeout=300)
        return container.logs().decode().splitlines()
    finally:
        container.remove(v=True, force=True)


DRIVER = "scripts/engine.sh; echo $?; docker info --format '{{.Driver}}'"


def test_an_engine_is_started_and_proven(client: docker.DockerClient, release: str) -> None:
    said = run(client, release, DRIVER, privileged=True, tmpfs=DISK)
    assert said[0] == STARTED
    assert said[1].startswith("engine: ready: engine ")
    assert said[2:] == ["0", "overlayfs"]


def test_a_disk_that_takes_no_overlay_gets_the_native_driver(
    client: docker.DockerClient, release: str
) -> None:
    said = run(client, release, DRIVER, privileged=True)
    native = 'taking the storage driver "native", which copies each layer'
    assert said[:2] == [f"engine: no overlay works in /var/lib/docker: {native}", STARTED]
    assert said[3:] == ["0", "native"]


@pytest.mark.parametrize(
    ("capabilities", "missing"),
    [
        (["NET_ADMIN"], "the right SYS_ADMIN is missing"),
        (["SYS_ADMIN"], "the right NET_ADMIN is missing"),
        (["SYS_ADMIN", "NET_ADMIN"], "the cgroup tree is read-only"),
    ],
)
def test_a_right_that_is_missing_is_named(
    client: docker.DockerClient, release: str, capabilities: list[str], missing: str
) -> None:
    said = run(
        client,
        release,
        "scripts/engine.sh; echo $?",
        cap_add=capabilities,
        security_opt=UNCONFINED,
        tmpfs=DISK,
    )
    assert said == [f"engine: no engine can start here: {missing}", PRIVILEGED, "2"]


def test_an_engine_that_answers_and_runs_nothing_is_not_ready(
    client: docker.DockerClient, release: str
) -> None:
    """Run in somebody else's container, whose cgroups cannot be written."""
    script = """
dockerd >/log 2>&1 &
until docker version >/dev/null 2>&1; do kill -0 $! || cat /log; sleep 0.3; done
scripts/engine.sh check; echo $?
scripts/engine.sh; echo $?
"""
    said = run(
        client,
        release,
        script,
        cap_add=["SYS_ADMIN", "NET_ADMIN"],
        security_opt=UNCONFINED,
        tmpfs=DISK,
    )
    assert said[0].startswith("engine: ready: engine ")
    assert said[1] == "0"
    assert said[2].startswith("engine: it answers, and no build step runs: runc run failed: ")
    assert said[3:] == [
        "tip: the cgroup tree is read-only here: start this container with --privileged, "
        f"{ELSEWHERE}",
        "2",
    ]


def test_two_first_runs_start_one_engine(client: docker.DockerClient, release: str) -> None:
    script = """
scripts/engine.sh >/one 2>&1 & scripts/engine.sh >/two 2>&1; echo $?; wait $!; echo $?
cat /one /two | sed -E 's/: engine .*//' | sort
pgrep -cx dockerd
"""
    said = run(client, release, script, privileged=True, tmpfs=DISK)
    assert said == [
        "0",
        "0",
        "engine: ready",
        "engine: ready",
        STARTED,
        "engine: waiting for another run (lock: /tmp/sutra-engine.lock)",
        "1",
    ]


def test_a_pid_file_of_an_earlier_life_is_not_an_engine(
    client: docker.DockerClient, release: str
) -> None:
    said = run(
        client, release, f"echo 1 >/var/run/docker.pid; {DRIVER}", privileged=True, tmpfs=DISK
    )
    assert said[2:] == ["0", "overlayfs"], said


def test_a_missing_context_starts_nothing(client: docker.DockerClient, release: str) -> None:
    script = "DOCKER_CONTEXT=none scripts/engine.sh; echo $?; pgrep -cx dockerd"
    assert run(client, release, script, privileged=True, tmpfs=DISK) == [
        'engine: context: no such context "none"',
        "tip: `docker context ls` lists them; without DOCKER_CONTEXT and after "
        "`docker context use default` it is this machine's engine",
        "2",
        "0",
    ]


@pytest.mark.parametrize(
    ("program", "command"),
    [("sg", "sg docker -c 'make prod'"), ("sudo", "sudo -u bob -g docker make prod"), ("none", "")],
)
def test_a_socket_that_is_not_the_users_is_reported_at_once(
    client: docker.DockerClient, release: str, program: str, command: str
) -> None:
    """With systemd an engine's socket belongs to a group; a new member has access after a login."""
    script = f"""
rm -f /usr/bin/sg /usr/bin/sudo; ln -s /bin/true /usr/local/bin/{program}
useradd -m bob && chown -R bob /copy
getent group docker >/dev/null || groupadd docker
dockerd --group docker >/log 2>&1 &
until docker version >/dev/null 2>&1; do sleep 0.3; done
mkfifo -m 666 /tmp/asked /tmp/added
su bob -c 'scripts/engine.sh; echo $?; echo >/tmp/asked
read line </tmp/added; scripts/engine.sh; echo $?' &
read line </tmp/asked; usermod -aG docker bob; echo now >/tmp/added; wait %2
su bob -c scripts/engine.sh
"""
    said = run(client, release, script, privileged=True, tmpfs=DISK)
    either = f"`{command}` or " if command else ""
    now = f"`{command}` works at once; " if command else ""
    assert said[:6] == [
        "engine: you may not talk to the engine at /var/run/docker.sock",
        "tip: join its group: `usermod -aG docker bob` as root, "
        f"then {either}log in again; or run as root",
        "2",
        "engine: this login may not talk to the engine at /var/run/docker.sock yet",
        f"tip: {now}after a new login `make prod` works",
        "2",
    ]
    assert said[6].startswith("engine: ready: engine ")
