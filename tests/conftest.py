"""Services that tests need are started once, and stopped if they were started here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from scripts.engine import client as engine
from tests.support import extent
from tests.support.once import on_worker, once
from tests.support.scheduling import FolderScheduling

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    """Take interrupts again where tests run in the background, as with `nohup`.

    A shell starts such a program with interrupts ignored, and so would be all that tests
    start and interrupt.
    """
    extent.choose(config.option.markexpr)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FolderScheduling | None:
    """Share out files with `--dist loadfile`, and folders whose files belong together."""
    return FolderScheduling(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have one worker build the images, which takes minutes, while others test without them."""
    if not on_worker():
        return
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    needing = [tests for tests in files.values() if any(map(needs_images, tests))]
    others = [tests for tests in files.values() if tests not in needing]
    items[:] = [item for tests in (*needing[:1], *others, *needing[1:]) for item in tests]


def needs_images(item: pytest.Item) -> bool:
    """Return whether a test starts from images that are built for all."""
    names = set(getattr(item, "fixturenames", ()))
    return "client" in names and bool({"production", "tag", "toolchain", "development"} & names)


@pytest.fixture(scope="session")
def running_engine() -> Iterator[None]:
    """An engine: a running one, or else one that is started now and stopped afterwards."""
    ready = subprocess.run(["scripts/engine.sh", "check"], cwd=ROOT, capture_output=True)
    if ready.returncode:
        # the first worker that ends would stop it under the others
        assert not on_worker(), "workers share an engine that runs: `make engine`"
        subprocess.run(["scripts/engine.sh"], cwd=ROOT, check=True)
    yield
    if ready.returncode:
        subprocess.run(["scripts/engine.sh", "stop"], cwd=ROOT, check=True)


@pytest.fixture(scope="session")
def client(running_engine: None) -> Iterator[docker.DockerClient]:
    connected = engine.connect()
    yield connected
    connected.close()


@pytest.fixture(scope="session")
def production(client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The production images are built and within their budgets; nothing is promoted."""

    def build() -> None:
        run("make", "build")
        run("make", "verify-sizes")

    once(tmp_path_factory, "production", build)


@pytest.fixture(scope="session")
def tag(request: pytest.FixtureRequest) -> str:
    """The tag under test: SUTRA_TAG if it is set, else the production images, built now."""
    if chosen := os.environ.get("SUTRA_TAG"):
        return chosen
    request.getfixturevalue("production")
    return "prod"


@pytest.fixture(scope="session")
def toolchain(client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The base with Python's toolchain exists, which `docker build` of a service starts from."""
    command = [sys.executable, "-m", "scripts", "build", "sutra-base-python-dev"]
    once(tmp_path_factory, "toolchain", lambda: run(*command))


@pytest.fixture(scope="session")
def development(client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The development images exist, including the bases with their toolchains."""
    once(tmp_path_factory, "development", lambda: run("./build.sh"))


def run(*command: str) -> None:
    """Run a command in the checkout; it must succeed."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
