"""The images under Debian 13's Podman: as quadlet's units start them, and as `kube play` does.

`make test-podman` runs it. There is no systemd in the machine: what quadlet gives it to start is
started here, word for word, and health checks are run by hand.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.podman.machine import machine
from tests.support.debian_machine import Machine

IMAGES = ("sutra-api", "sutra-hybrid", "sutra-storage-server")
NAMES = ("sutra-storage", "sutra-api", "sutra-hybrid")
KEY = "0123456789abcdef0123456789abcdef"
PATIENCE = 120
ASK = """
import http.client, sys
asked = http.client.HTTPConnection("127.0.0.1", 8000, timeout=10)
asked.request(*sys.argv[1:3], sys.argv[3] or None, {"Content-Type": "application/json"})
answer = asked.getresponse()
print(answer.status, answer.read().decode())
"""


@pytest.fixture(scope="module")
def podman(tag: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine that has the images under test, as docker saved them."""
    with machine(tmp_path_factory.mktemp("podman")) as host:
        names = [f"{name}:{tag}" for name in IMAGES]
        saved = subprocess.run(["docker", "save", *names], check=True, capture_output=True)
        host.run("podman", "load", stdin=saved.stdout)
        for name in IMAGES:
            host.run("podman", "tag", f"{name}:{tag}", f"localhost/{name}:latest")
        yield host


def ask(host: Machine, method: str, path: str, body: str = "") -> str:
    """Return "STATUS BODY" of the API, by the port that it publishes; "" without an answer."""
    done = subprocess.run(
        ["nsenter", f"--net=/proc/{host.pid}/ns/net", "python3", "-c", ASK, method, path, body],
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def wait_for_write(host: Machine, name: str) -> None:
    end = time.monotonic() + PATIENCE
    while not ask(host, "PUT", f"/concepts/{name}", '{"text": "x"}').startswith("201 "):
        assert time.monotonic() < end, host.run("podman", "ps", "--all")
        time.sleep(0.5)


def inspected(host: Machine, name: str) -> dict[str, Any]:
    (container,) = json.loads(host.run("podman", "inspect", name))
    return dict(container)


def require_hardened(host: Machine, name: str, pids: int, memory: int) -> None:
    container = inspected(host, name)
    settings = container["HostConfig"]
    assert container["Config"]["User"].startswith("10001")
    assert settings["ReadonlyRootfs"] is True
    assert container["EffectiveCaps"] in (None, [])
    assert "no-new-privileges" in settings["SecurityOpt"]
    assert (settings["PidsLimit"], settings["Memory"]) == (pids, memory)


LIMITS = {
    "sutra-storage": (64, 512 << 20),
    "sutra-api": (64, 256 << 20),
    "sutra-hybrid": (128, 2 << 30),
}


# ---- quadlet -----------------------------------------------------------------


def units(host: Machine) -> dict[str, list[str]]:
    """Return the command that systemd would start, of each unit that quadlet makes."""
    host.put("/etc/containers/systemd", *sorted((ROOT / "deploy/quadlet").iterdir()))
    text = host.run("/usr/libexec/podman/quadlet", "-dryrun")
    commands = {}
    for name, body in re.findall(r"---(\S+)\.service---\n(.*?)(?=\n---|\Z)", text, re.DOTALL):
        line = re.search(r"^ExecStart=(.*)$", body, re.MULTILINE)
        assert line, body
        commands[name] = shlex.split(line[1].replace("%t", "/run").replace("%N", name))
    return commands


def start(host: Machine, name: str, command: list[str]) -> None:
    """Run what a unit starts; it ends when the container is healthy, as `Notify=healthy` says."""
    # its own cgroup in place of the unit's, which only systemd makes
    words = [word.replace("--cgroups=split", "--cgroups=enabled") for word in command]
    end = time.monotonic() + PATIENCE
    with host.start(*words) as process:
        while process.poll() is None:
            host.run("podman", "healthcheck", "run", name, check=False)  # systemd's timer would
            if time.monotonic() > end:
                process.kill()
            time.sleep(0.5)
        assert process.stdout
        assert process.returncode == 0, process.stdout.read().decode()


def test_quadlet_takes_every_file(podman: Machine) -> None:
    assert set(units(podman)) == {
        *NAMES,
        "sutra-data-volume",
        "sutra-public-network",
        "sutra-storage-network",
    }


def test_what_quadlet_starts_serves_and_is_hardened(podman: Machine) -> None:
    commands = units(podman)
    podman.run("podman", "secret", "create", "sutra-storage-key", "-", stdin=KEY.encode())
    try:
        for name in commands:
            if name not in NAMES:
                podman.run(*commands[name])
        for name in NAMES:
            start(podman, name, commands[name])
        wait_for_write(podman, "quadlet")
        for name in NAMES:
            podman.run("podman", "healthcheck", "run", name)
            require_hardened(podman, name, *LIMITS[name])
        mounts = podman.run(
            "podman", "exec", "sutra-api", "python", "-c", "print(open('/proc/mounts').read())"
        )
        (options,) = re.findall(r"^tmpfs /tmp tmpfs (\S+)", mounts, re.MULTILINE)
        assert {"rw", "noexec", "nosuid", "nodev", "size=16384k"} <= set(options.split(","))
        podman.run("podman", "kill", "--signal=KILL", "sutra-storage")
        podman.run("podman", "rm", "--force", "sutra-storage")
        assert ask(podman, "GET", "/concepts/quadlet").startswith("503 ")
        start(podman, "sutra-storage", commands["sutra-storage"])
        wait_for_write(podman, "after")
        assert ask(podman, "GET", "/concepts/quadlet").startswith("200 ")
    finally:
        podman.run("podman", "rm", "--force", "--time=0", *NAMES, check=False)
        podman.run("podman", "secret", "rm", "sutra-storage-key", check=False)
        podman.run("podman", "volume", "rm", "sutra-data", check=False)
        podman.run("podman", "network", "rm", "sutra-storage", "sutra-public", check=False)


def test_an_image_in_ocis_format_has_lost_its_healthcheck(podman: Machine) -> None:
    podman.run("sh", "-c", "podman save --format oci-archive localhost/sutra-api:latest >/srv/api")
    podman.run("podman", "rmi", "--force", "localhost/sutra-api:latest")
    loaded = podman.run("podman", "load", "--input", "/srv/api")
    assert "sutra-api" in loaded
    (image,) = json.loads(podman.run("podman", "inspect", "localhost/sutra-api:latest"))
    assert image.get("HealthCheck") is None
    assert "Healthcheck" not in image["Config"]


# ---- kube play ---------------------------------------------------------------


@pytest.fixture
def played(podman: Machine) -> Iterator[Machine]:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "sutra-storage-key"},
        "stringData": {"storage-key": KEY},
    }
    podman.run("podman", "network", "create", "sutra")
    podman.run("podman", "kube", "play", "-", stdin=json.dumps(secret).encode())
    podman.put("/srv", ROOT / "deploy/podman/sutra.yaml")
    play = ("podman", "kube", "play", "--network=sutra", "/srv/sutra.yaml")
    try:
        podman.run(*play)
        yield podman
    finally:
        podman.run("podman", "kube", "down", "/srv/sutra.yaml", check=False)
        podman.run("podman", "secret", "rm", "sutra-storage-key", check=False)
        podman.run("podman", "network", "rm", "--force", "sutra", check=False)


def test_what_is_played_serves_and_is_hardened(played: Machine) -> None:
    wait_for_write(played, "played")
    for name in NAMES:
        played.run("podman", "healthcheck", "run", f"{name}-server")
        # the limit of processes is the same for all containers: the file format has none
        require_hardened(played, f"{name}-server", 2048, LIMITS[name][1])


def test_what_was_played_down_keeps_its_data(played: Machine) -> None:
    wait_for_write(played, "kept")
    played.run("podman", "kube", "down", "/srv/sutra.yaml")
    assert "sutra-data" in played.run("podman", "volume", "ls", "--quiet")
    played.run("podman", "kube", "play", "--network=sutra", "/srv/sutra.yaml")
    wait_for_write(played, "more")
    assert ask(played, "GET", "/concepts/kept").startswith("200 ")


def test_the_storage_publishes_no_port(played: Machine) -> None:
    assert played.run("podman", "port", "sutra-storage-server", check=False) == ""
    assert inspected(played, "sutra-storage-server")["State"]["Running"] is True
