"""scripts/engine.sh finds a usable engine, and otherwise tells what to do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import docker
import pytest

from scripts.engine import buildx
from scripts.engine import client as engine
from tests.conftest import ROOT
from tests.support.old_engine import old_engine

SCRIPT = "scripts/engine.sh"


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


def test_a_running_engine_is_left_as_it_is(client: docker.DockerClient) -> None:
    before = client.info()["ID"], client.version()["Version"]
    done = run()
    assert done.returncode == 0
    assert done.stdout.startswith(f"engine: ready: engine {before[1]}, client ")
    assert (client.info()["ID"], client.version()["Version"]) == before


def test_an_engine_that_starts_here_bounds_its_build_cache(client: docker.DockerClient) -> None:
    started = ROOT / ".cache/engine/dockerd.pid"
    ours = started.exists() and Path("/proc", started.read_text().strip()).exists()
    if not ours or os.environ.get("DOCKER_HOST") or Path("/etc/docker/daemon.json").exists():
        pytest.skip("not run here: this engine's configuration is somebody else's")
    command = [buildx.find_client(), "buildx", "inspect", "default"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "30GiB" in shown.partition("GC Policy")[2], "started before? `make engine-stop engine`"


def test_check_only_looks() -> None:
    done = run("check", DOCKER_HOST="unix:///nothing.sock")
    assert done.returncode == 2
    assert done.stderr == "engine: no engine answers\ntip: run `make engine`\n"


def test_an_engine_that_is_too_old_is_refused_and_left(tmp_path: Path) -> None:
    with old_engine(tmp_path / "old.sock", "20.10.5") as address:
        done = run(DOCKER_HOST=address)
    assert done.returncode == 2
    assert done.stderr == (
        'engine: server.version: too old "20.10.5", 23 or newer is needed\n'
        "tip: upgrade the running engine, or point DOCKER_HOST at a newer one; "
        "it was left as it is\n"
    )


def test_a_client_without_plugins_is_passed_over(
    client: docker.DockerClient, tmp_path: Path
) -> None:
    bare = tmp_path / "docker"
    bare.write_text('#!/bin/sh\n[ "$1" != buildx ] && exec /usr/bin/docker "$@"\nexit 1\n')
    bare.chmod(0o755)
    done = run("check", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    assert not done.stdout.endswith("client docker\n")


def test_on_an_unknown_system_the_tip_names_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text("ID=plan9\n")
    done = run(OS_RELEASE=str(tmp_path / "os-release"), DOCKER="no-such-docker")
    assert done.returncode == 2
    socket = Path(
        "/var/run/docker.sock"
    )  # of the engine that these tests run on, for the most part
    assert done.stderr == (
        (
            f"engine: no docker client to reach {socket}, and this system is not Debian or Ubuntu\n"
            "tip: install Docker's client with the buildx plugin (Debian: `apt-get install "
            "docker-cli docker-buildx`), then run `make engine` again\n"
        )
        if socket.is_socket()
        else (
            "engine: no engine, and this system is not Debian or Ubuntu\n"
            "tip: install Docker Engine 23 or newer with the buildx plugin, start it, "
            "then run `make engine` again\n"
        )
    )


def test_an_engine_that_somebody_chose_is_not_replaced() -> None:
    done = run(DOCKER_HOST="unix:///nothing.sock")
    assert done.returncode == 2
    assert done.stderr == (
        'engine: DOCKER_HOST: no engine answers at "unix:///nothing.sock"\n'
        "tip: start that engine, or correct or unset DOCKER_HOST\n"
    )


def test_script_and_helpers_want_the_same_version() -> None:
    assert f"readonly MINIMUM={engine.MINIMUM_MAJOR}\n" in (ROOT / SCRIPT).read_text()


def test_an_unknown_argument() -> None:
    done = run("restart")
    assert done.returncode == 2
    assert done.stderr == (
        'engine: argument: unknown "restart"\ntip: usage: scripts/engine.sh [check|compose|stop]\n'
    )


def test_a_client_without_compose_is_passed_over(
    client: docker.DockerClient, tmp_path: Path
) -> None:
    bare = tmp_path / "docker"
    bare.write_text('#!/bin/sh\n[ "$1" != compose ] && exec /usr/bin/docker "$@"\nexit 1\n')
    bare.chmod(0o755)
    done = run("compose", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("engine: compose: ")
    assert not done.stdout.endswith("client docker\n")


def test_without_compose_on_an_unknown_system_the_tip_names_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text("ID=plan9\n")
    done = run("compose", OS_RELEASE=str(tmp_path / "os-release"), DOCKER="no-such-docker")
    assert done.returncode == 2
    assert done.stderr == (
        "engine: no compose plugin, and this system is not Debian or Ubuntu\n"
        "tip: install Docker's compose plugin (2.20 or newer), then run `./sutra-deploy.sh up`\n"
    )
