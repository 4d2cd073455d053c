"""Services that tests need are started once, and stopped if they were started here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from scripts.engine import client as engine
from tests.support import extent

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    """Take interrupts again where tests run in the background, as with `nohup`.

    A shell starts such a program with interrupts ignored, and so would be all that tests
    start and interrupt.
    """
    extent.choose(config.option.markexpr)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def running_engine() -> Iterator[None]:
    """An engine: a running one, or else one that is started now and stopped afterwards."""
    ready = subprocess.run(["scripts/engine.sh", "check"], cwd=ROOT, capture_output=True)
    if ready.returncode:
        subprocess.run(["scripts/engine.sh"], cwd=ROOT, check=True)
    yield
    if ready.returncode:
        subprocess.run(["scripts/engine.sh", "stop"], cwd=ROOT, check=True)


@pytest.fixture(scope="session")
def client(running_engine: None) -> Iterator[docker.DockerClient]:
    found = engine.connect()
    yield found
    found.close()


@pytest.fixture(scope="session")
def production(client: docker.DockerClient) -> None:
    """The production images are built and within their budgets; nothing is promoted."""
    for target in ("build", "verify-sizes"):
        done = subprocess.run(["make", target], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.fixture(scope="session")
def tag(request: pytest.FixtureRequest) -> str:
    """The tag under test: SUTRA_TAG if it is set, else the production images, built now."""
    if chosen := os.environ.get("SUTRA_TAG"):
        return chosen
    request.getfixturevalue("production")
    return "prod"


@pytest.fixture(scope="session")
def toolchain(client: docker.DockerClient) -> None:
    """The base with Python's toolchain exists, which `docker build` of a service starts from."""
    command = [sys.executable, "-m", "scripts", "build", "sutra-base-python-dev"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="session")
def development(client: docker.DockerClient) -> None:
    """The development images exist, including the bases with their toolchains."""
    done = subprocess.run(["./build.sh"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
