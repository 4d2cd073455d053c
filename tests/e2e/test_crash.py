"""A storage that is killed during writes loses no acknowledged write."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest
from docker.models.containers import Container

from tests.support import extent
from tests.support.load import check, writing
from tests.support.stack import API, STORAGE, Stack, wait_for

KILLS = extent.share(whole=20, fast=6)
# acknowledged writes between two kills, so that each one meets a working store
WRITES = 30


def kill(storage: Container) -> None:
    """Kill it as `docker kill` does, at a random moment; start it again."""
    time.sleep(random.random() / 10)  # noqa: S311 # not for secrets
    storage.kill(signal="SIGKILL")
    storage.reload()
    assert storage.attrs["State"]["ExitCode"] == 137
    storage.start()


def test_kills_under_load_lose_nothing_acknowledged(stack: Stack) -> None:
    storage = stack.container(STORAGE)
    with writing(stack) as load:
        for _ in range(KILLS):
            goal = load.acknowledged() + WRITES

            def has_written(goal: int = goal) -> bool:
                return load.acknowledged() >= goal

            wait_for(has_written, "no write was acknowledged")
            kill(storage)
        stack.wait_ready(API)
    assert load.acknowledged() >= KILLS * WRITES
    assert load.refused > 0  # the kills were noticed
    assert load.surprises == [], _errors(stack)  # and answered with 503, each of them
    check(load)


def _errors(stack: Stack) -> str:
    """Return what the API logged of its own faults, with their tracebacks."""
    lines = stack.container(API).logs().decode(errors="replace").splitlines()
    return "\n".join(line for line in lines if '"level": "error"' in line)


def test_a_storage_that_crashes_is_started_again(stack: Stack) -> None:
    if os.geteuid():
        pytest.skip("not run here: ending a container's process from outside takes root")
    storage = stack.container(STORAGE)
    before = storage.attrs["RestartCount"]
    os.kill(storage.attrs["State"]["Pid"], signal.SIGKILL)

    def restarted() -> bool:
        storage.reload()
        return storage.attrs["RestartCount"] > before and storage.status == "running"

    wait_for(restarted, "the engine did not start it again")
    stack.wait_ready(API)
