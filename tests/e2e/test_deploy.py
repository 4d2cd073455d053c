"""`./sutra-deploy.sh` deploys hardened services in order of health, and reports unhealthy ones."""

from __future__ import annotations

import json
import os
import pty
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest

from scripts.engine import buildx, images
from tests.conftest import ROOT
from tests.support import programs
from tests.support.stack import API, HYBRID, STORAGE, Stack, deployed, override, request

SERVICES = (STORAGE, API, HYBRID)
MIB = 1 << 20
MEMORY = {STORAGE: 512 * MIB, API: 256 * MIB, HYBRID: 2048 * MIB}
PIDS = {STORAGE: 64, API: 64, HYBRID: 128}


@pytest.fixture
def nothing(client: docker.DockerClient, tag: str) -> Iterator[Stack]:
    """A project that is not deployed yet; removed afterwards."""
    stack = Stack(client, f"sutra-test-e2e-{uuid.uuid4().hex[:8]}", {"SUTRA_TAG": tag})
    yield stack
    stack.remove()


def objects(stack: Stack) -> set[str]:
    """Return the names of everything that the project has on the engine."""
    api, label = stack.client.api, [f"com.docker.compose.project={stack.project}"]
    names = {
        container["Names"][0] for container in api.containers(all=True, filters={"label": label})
    }
    names |= {network["Name"] for network in api.networks(filters={"label": label})}
    return names | {
        volume["Name"] for volume in api.volumes(filters={"label": label})["Volumes"] or []
    }


# ---- what is deployed ------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_is_hardened(stack: Stack, service: str) -> None:
    attributes = stack.container(service).attrs
    host = attributes["HostConfig"]
    assert attributes["Config"]["User"] == "10001:10001"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert not host["Privileged"]
    gains, profile = host["SecurityOpt"]
    assert gains == "no-new-privileges:true"
    file = ROOT / f"packages/{service}/seccomp.json"
    assert json.loads(profile.removeprefix("seccomp=")) == json.loads(file.read_text())
    assert host["Memory"] == host["MemorySwap"] == MEMORY[service]
    assert host["PidsLimit"] == PIDS[service]
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    mounts = {mount["Destination"]: mount["RW"] for mount in attributes["Mounts"]}
    data = {"/var/lib/sutra": True} if service == STORAGE else {}
    assert mounts == {"/run/secrets/storage-key": False} | data
    assert list(host.get("Tmpfs") or {}) == ([] if service == STORAGE else ["/tmp"])


# calls that Docker's own profile allows, and none of ours
OUTSIDE = """
import ctypes
import os
for name, call in {
    "mkfifo": lambda: os.mkfifo("/tmp/fifo"),
    "inotify": lambda: ctypes.CDLL(None).inotify_init1(0) >= 0,
    "nice": lambda: os.nice(1),
}.items():
    try:
        print(name, call())
    except OSError as error:
        print(name, error.strerror)
"""
REFUSED = [
    "mkfifo Function not implemented",
    "inotify False",
    "nice Function not implemented",
]


@pytest.mark.parametrize("service", [API, HYBRID])
def test_a_call_outside_of_the_profile_is_refused_and_the_service_answers(
    stack: Stack, service: str
) -> None:
    said = stack.container(service).exec_run(["python", "-c", OUTSIDE]).output
    assert isinstance(said, bytes)
    assert said.decode().splitlines() == REFUSED
    assert stack.try_ask(service, "GET", "/health").status == 200


def test_only_api_and_hybrid_are_published_and_on_loopback(stack: Stack) -> None:
    ports = {service: stack.container(service).ports for service in SERVICES}
    assert not any(ports[STORAGE].values())
    for service, port in ((API, "8000/tcp"), (HYBRID, "8001/tcp")):
        ((only, bindings),) = ports[service].items()
        assert only == port
        assert bindings
        assert {binding["HostIp"] for binding in bindings} == {"127.0.0.1"}


def test_the_storage_is_only_on_an_internal_network(stack: Stack) -> None:
    (network,) = stack.container(STORAGE).attrs["NetworkSettings"]["Networks"]
    assert network == f"{stack.project}_storage"
    assert stack.client.networks.get(network).attrs["Internal"]


@pytest.mark.parametrize("service", [API, HYBRID])
def test_nothing_but_tmp_can_be_written(stack: Stack, service: str) -> None:
    code = (
        "import os\n"
        "for folder in ('/', '/app', '/opt/sutra', '/tmp', '/dev/shm'):\n"
        "    try:\n"
        "        open(os.path.join(folder, 'file'), 'w').close()\n"
        "        print(folder)\n"
        "    except OSError:\n"
        "        pass\n"
    )
    _, shown = stack.container(service).exec_run(["python", "-c", code])
    assert isinstance(shown, bytes)
    assert shown.decode().split() == ["/tmp", "/dev/shm"]


def test_the_key_is_wanted_where_one_is_set(client: docker.DockerClient, tag: str) -> None:
    key = uuid.uuid4().hex
    with deployed(client, SUTRA_TAG=tag, SUTRA_API_KEY=key) as stack:
        statuses = {
            (service, shown): request(
                stack.address(service), method, path, body, {"Authorization": shown}
            ).status
            for service, method, path, body in (
                (API, "GET", "/stats", None),
                (HYBRID, "POST", "/similar", {"text": "x", "k": 1}),
            )
            for shown in ("", "Bearer wrong", f"Bearer {key}")
        }
    assert statuses == {
        (service, shown): 200 if shown.endswith(key) else 401
        for service in (API, HYBRID)
        for shown in ("", "Bearer wrong", f"Bearer {key}")
    }


@pytest.mark.parametrize("service", [API, HYBRID])
def test_without_a_key_the_variable_is_not_there_at_all(stack: Stack, service: str) -> None:
    code = "import os; print('SUTRA_API_KEY' in os.environ)"
    _, shown = stack.container(service).exec_run(["python", "-c", code])
    assert isinstance(shown, bytes)
    assert shown.decode() == "False\n"


# ---- up, down, restart, status, logs ---------------------------------------


def test_status_and_logs_of_a_healthy_stack(stack: Stack) -> None:
    status = stack.deploy("status")
    assert (status.returncode, status.stderr) == (0, "")
    for service in SERVICES:
        assert f"{stack.project}-{service}-1" in status.stdout
    logs = stack.deploy("logs", "--no-color", "--tail", "1", API)
    assert logs.returncode == 0
    assert logs.stdout.startswith(f"{API}-1")


def test_up_again_changes_nothing(stack: Stack) -> None:
    before = {service: stack.container(service).id for service in SERVICES}
    stack.up()
    assert {service: stack.container(service).id for service in SERVICES} == before


def test_a_newer_image_is_deployed_and_the_data_stays(
    client: docker.DockerClient, tag: str
) -> None:
    """From one `:latest` to the next, by plain `docker compose` first, then by the script."""
    registry = f"sutra-test-{uuid.uuid4().hex[:8]}"
    names = ("sutra-storage-server", API, HYBRID)
    for name in names:
        client.api.tag(f"{name}:{tag}", f"{registry}/{name}", "latest")
    stack = Stack(client, f"sutra-test-e2e-{uuid.uuid4().hex[:8]}", {"REGISTRY": registry})
    try:
        stack.make_key()
        command = [buildx.find_client(), "compose", "up", "--detach", "--wait"]
        done = subprocess.run(
            command, cwd=ROOT, env=stack.environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        stack.ask(API, "PUT", "/concepts/kept", {"text": "over an upgrade"})
        for name in names:
            old = client.containers.create(f"{registry}/{name}:latest")
            old.commit(f"{registry}/{name}", "latest", changes="LABEL newer=yes")
            old.remove(v=True)
        stack.up()
        for service in SERVICES:
            assert stack.container(service).labels["newer"] == "yes"
        assert stack.ask(API, "GET", "/concepts/kept")["text"] == "over an upgrade"
    finally:
        stack.remove()
        for name in names:
            images.untag(client, f"{registry}/{name}:latest")


ASK = programs.text("ask_storage")


@pytest.mark.parametrize(("shown", "status"), [("none", b"401\n"), ("key", b"200\n")])
def test_the_storage_asks_its_neighbours_for_the_key(
    stack: Stack, shown: str, status: bytes
) -> None:
    command = ["python", "-c", ASK, shown]
    assert stack.container(API).exec_run(command).output == status


def test_the_key_is_for_the_containers_user_alone_and_in_no_variable_or_log(stack: Stack) -> None:
    file = stack.key.stat()
    assert (file.st_mode & 0o7777, file.st_uid) == (0o600, 10001)
    key = stack.key.read_text()
    assert len(key) == 64
    for service in SERVICES:
        container = stack.container(service)
        assert key not in json.dumps(container.attrs)
        assert key.encode() not in bytes(container.logs())


def test_a_missing_image(nothing: Stack) -> None:
    done = nothing.deploy("up", SUTRA_TAG="0.0.0-none")
    assert done.returncode == 2
    message, tip = done.stderr.splitlines()
    assert message.startswith('sutra-deploy: image is not there "sutra-')
    assert message.endswith(':0.0.0-none"')
    assert tip == "tip: run `make prod`, or set SUTRA_TAG to a version that is"
    assert objects(nothing) == set()


def test_a_port_that_is_taken(nothing: Stack) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = nothing.deploy("up", SUTRA_API_PORT=str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "address already in use" in done.stderr
    *_, message, tip = done.stderr.splitlines()
    # the hybrid may have been started by then, or not
    assert message.startswith(f"sutra-deploy: up: not healthy: {API}")
    assert tip.startswith("tip: fix what the lines above say, then run `./sutra-deploy.sh up`")
    nothing.up()  # once it is free


def test_a_service_that_cannot_start_is_named_with_its_log(nothing: Stack, tmp_path: Path) -> None:
    files = override(
        nothing.client,
        tmp_path,
        "services: {sutra-storage: {environment: {SUTRA_STORAGE_ADDR: nowhere}}}\n",
    )
    done = nothing.deploy("up", SUTRA_COMPOSE_OVERRIDE=files)
    assert done.returncode == 1
    assert 'SUTRA_STORAGE_ADDR: not a socket address "nowhere"' in done.stderr
    assert done.stderr.splitlines()[-2] == (
        "sutra-deploy: up: not healthy: sutra-api sutra-hybrid sutra-storage"
    )


def test_an_open_port_without_a_key_is_warned_of(nothing: Stack) -> None:
    warning = (
        "sutra-deploy: warning: SUTRA_BIND is not loopback and SUTRA_API_KEY is not set: "
        "anyone who reaches the ports may read and write"
    )
    absent = {"SUTRA_TAG": "0.0.0-none", "SUTRA_PULL": "missing", "REGISTRY": "127.0.0.1:9"}
    for knobs, warned in (
        ({"SUTRA_BIND": "0.0.0.0"}, True),  # noqa: S104 # nothing is started
        ({"SUTRA_BIND": "0.0.0.0", "SUTRA_API_KEY": "key"}, False),  # noqa: S104 # as above
        ({"SUTRA_BIND": "127.0.0.1"}, False),
        ({"SUTRA_BIND": "::1"}, False),
    ):
        done = nothing.deploy("up", **absent, **knobs)
        assert done.returncode == 2  # the image that makes the key is not to be had
        assert (warning in done.stderr.splitlines()) is warned, knobs


def test_down_keeps_the_data_and_asks_before_it_does_not(nothing: Stack) -> None:
    nothing.up()
    volume = f"{nothing.project}_data"
    refused = nothing.deploy("down", "--data")
    assert refused.returncode == 2
    assert refused.stderr == (
        f"sutra-deploy: down --data deletes every concept in: {volume}\n"
        "sutra-deploy: down --data: confirmation needed, but stdin is not a terminal\n"
        "tip: add --yes\n"
    )
    assert nothing.deploy("status").returncode == 0
    code, shown = typed(nothing, "yes")
    assert code == 2
    assert shown.endswith(
        'sutra-deploy: down --data: not the name "yes", nothing was touched\n'
        "tip: `./sutra-deploy.sh down` keeps the data\n"
    )
    assert nothing.deploy("status").returncode == 0
    assert nothing.deploy("down").returncode == 0
    assert objects(nothing) == {volume}
    code, shown = typed(nothing, volume)
    assert code == 0, shown
    assert objects(nothing) == set()


def typed(stack: Stack, answer: str) -> tuple[int, str]:
    """Run `down --data` on a terminal and type the answer; return the exit code and the output."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["./sutra-deploy.sh", "down", "--data"],
        cwd=ROOT,
        env=stack.environment(),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    shown, _ = process.communicate(timeout=120)
    os.close(ours)
    return process.returncode, shown


HELP = "tip: `./sutra-deploy.sh --help` lists what it takes"


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (
            ["start"],
            ['sutra-deploy: unknown command "start"', "tip: `./sutra-deploy.sh --help` lists them"],
        ),
        (["up", "--now"], ['sutra-deploy: up: unknown argument "--now"', HELP]),
        (["down", "--volumes"], ['sutra-deploy: down: unknown argument "--volumes"', HELP]),
        (
            ["restart"],
            ["sutra-deploy: restart: nothing is deployed", "tip: run `./sutra-deploy.sh up`"],
        ),
        (
            ["logs", "storage"],
            [
                "no such service: storage",
                "sutra-deploy: logs: refused, see above",
                "tip: services: sutra-api sutra-hybrid sutra-storage",
            ],
        ),
    ],
)
def test_a_wrong_call(nothing: Stack, words: list[str], lines: list[str]) -> None:
    done = nothing.deploy(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert sorted(done.stderr.splitlines()) == sorted(lines)
    assert objects(nothing) == set()


def test_a_client_without_compose(nothing: Stack, tmp_path: Path) -> None:
    bare = tmp_path / "docker"
    bare.write_text("#!/bin/sh\nexit 1\n")
    bare.chmod(0o755)
    done = nothing.deploy("up", DOCKER=str(bare))
    assert done.returncode == 2
    assert done.stderr == (
        "sutra-deploy: no docker client with a working compose plugin\n"
        "tip: run `scripts/engine.sh compose`\n"
    )


def test_no_engine(nothing: Stack) -> None:
    done = nothing.deploy("up", DOCKER_HOST="unix:///nothing.sock")
    assert done.returncode == 2
    assert done.stderr == "sutra-deploy: no engine answers\ntip: run `make engine`\n"


def test_help_is_its_own_head(nothing: Stack) -> None:
    done = nothing.deploy("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Runs the stack of docker-compose.yml")
    without = nothing.deploy()
    assert (without.returncode, without.stdout, without.stderr) == (2, "", done.stdout)
