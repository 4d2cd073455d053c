"""A full disk refuses writes with a clear error; reads go on, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from tests.support.stack import API, STORAGE, Answer, Stack, deployed, override, wait_for

# the data folder on a file system of 8 MiB, in memory
SMALL_DISK = """
volumes:
  data:
    driver_opts: {type: tmpfs, device: tmpfs, o: "size=8m,uid=10001,gid=10001,mode=0700"}
"""
TEXT = "a fact that takes its space. " * 1000


@pytest.fixture(scope="module")
def small(client: docker.DockerClient, tag: str, tmp_path_factory: Any) -> Iterator[Stack]:
    """A stack on the small disk, which stays mounted while the storage restarts."""
    files = override(client, tmp_path_factory.mktemp("small"), SMALL_DISK)
    with deployed(client, SUTRA_TAG=tag, SUTRA_COMPOSE_OVERRIDE=files) as stack:
        holder = client.containers.run(
            f"sutra-api:{tag}",
            ["python", "-c", "import time; time.sleep(3600)"],
            volumes={f"{stack.project}_data": {"bind": "/held", "mode": "ro"}},
            network_mode="none",
            init=True,
            detach=True,
        )
        try:
            yield stack
        finally:
            holder.remove(force=True)


@pytest.fixture(scope="module")
def filled(small: Stack) -> tuple[Stack, list[str], Answer]:
    """The stack with a full disk, the acknowledged names, and the first refusal."""
    stored: list[str] = []
    for number in range(1000):
        name = f"fill-{number:04}"
        answer = small.try_ask(API, "PUT", f"/concepts/{name}", {"text": TEXT})
        if answer.status != 201:
            return small, stored, answer
        stored.append(name)
    raise AssertionError("30 MB fitted on a disk of 8 MiB")


Filled = tuple[Stack, list[str], Answer]


def test_the_refusal_says_what_is_wrong(filled: Filled) -> None:
    _, stored, refusal = filled
    assert len(stored) > 10
    assert refusal.status == 503
    assert refusal.body["title"] == "no space left"


def test_reads_go_on(filled: Filled) -> None:
    stack, stored, _ = filled
    for name in stored:
        assert stack.ask(API, "GET", f"/concepts/{name}")["text"] == TEXT


def test_more_writes_are_refused_and_leave_nothing(filled: Filled) -> None:
    stack, stored, _ = filled
    for number in range(5):
        answer = stack.try_ask(API, "PUT", f"/concepts/more-{number}", {"text": TEXT})
        assert answer.status == 503
        assert stack.try_ask(API, "GET", f"/concepts/more-{number}").status == 404
    assert stack.ask(API, "GET", "/stats")["concepts"] == len(stored)


def test_nothing_is_lost_over_a_restart(filled: Filled) -> None:
    stack, stored, _ = filled
    stack.container(STORAGE).restart()
    stack.wait_ready(API)
    for name in stored:
        assert stack.ask(API, "GET", f"/concepts/{name}")["text"] == TEXT


def test_with_room_again_it_writes_again_by_itself(filled: Filled) -> None:
    stack, stored, _ = filled
    refused = stack.try_ask(API, "PUT", "/concepts/more", {"text": TEXT})
    assert refused.status == 503
    mounted = stack.client.volumes.get(f"{stack.project}_data").attrs["Mountpoint"]
    grow = ["mount", "-o", "remount,size=16m", mounted]
    if os.geteuid() or subprocess.run(grow, capture_output=True).returncode:
        pytest.skip("not run here: growing the small disk takes root on the engine's machine")

    def written() -> bool:
        return stack.try_ask(API, "PUT", "/concepts/more", {"text": TEXT}).status == 201

    wait_for(written, "it went on refusing")
    assert stack.ask(API, "GET", "/stats")["concepts"] == len(stored) + 1
