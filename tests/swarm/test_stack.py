"""The stack file of the real docker-compose.yml, and what Docker itself makes of it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.deploy import stack_file, stack_service
from scripts.deploy.stack_file import Stack
from scripts.deploy.stack_service import Options
from tests.conftest import ROOT
from tests.support import compose_file

EXPECTED = Path(__file__).with_name("stack.expected")
PAGE = (ROOT / "docs/swarm.md").read_text()


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return how compose reads docker-compose.yml, without any knob."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SUTRA_", "COMPOSE"))}
    done = subprocess.run(
        [
            "docker",
            "compose",
            "--env-file",
            os.devnull,
            "--file",
            "docker-compose.yml",
            "config",
            "--format",
            "json",
        ],
        cwd=ROOT,
        env={**inherited, "REGISTRY": ""},
        capture_output=True,
        check=True,
    )
    file = tmp_path_factory.mktemp("compose") / "config.json"
    file.write_bytes(done.stdout)
    parsed = stack_file.read(file)
    # those of the expected text: a service that somebody adds is converted as these are
    expected = yaml.safe_load(EXPECTED.read_text())["services"]
    return {**parsed, "services": {name: parsed["services"][name] for name in expected}}


@pytest.fixture(scope="module")
def stack(config: dict[str, Any]) -> Stack:
    images = {
        service["image"]: f"r.example/t/{service['image']}@sha256:{number * 64}"
        for number, service in zip("123", config["services"].values(), strict=True)
    }
    return stack_file.make(config, Options("sutra", images, api_key="sutra-api-key-1"))


def test_the_whole_of_it(stack: Stack) -> None:
    assert stack.text.partition("\n")[2] == EXPECTED.read_text()


def test_what_is_lost_is_named(stack: Stack) -> None:
    assert stack.notes == (
        stack_service.ANY_ORDER,
        stack_service.LIVE,
        stack_service.SWAP,
        "ports: Swarm publishes on every address of every node, not on 127.0.0.1 alone: "
        "callers need SUTRA_API_KEY",
        stack_service.NO_NEW_PRIVILEGES,
        stack_service.SECCOMP,
    )


def test_what_is_lost_is_on_the_page(stack: Stack) -> None:
    for note in stack.notes:
        key = note.partition(":")[0]
        assert re.search(rf"^\| `{key}`", PAGE, re.MULTILINE), key


def test_docker_takes_it_and_drops_nothing(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "stack.yml"
    file.write_text(stack.text)
    done = subprocess.run(
        ["docker", "stack", "config", "--compose-file", str(file)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    taken = yaml.safe_load(done.stdout)
    for name, service in stack.content["services"].items():
        lost = {key for key in service if key not in taken["services"][name]}
        assert lost == set()
        for limit, value in service["deploy"]["resources"]["limits"].items():
            assert str(taken["services"][name]["deploy"]["resources"]["limits"][limit]) == str(
                value
            )
        assert taken["services"][name].get("volumes") == service.get("volumes")
        assert taken["services"][name]["cap_drop"] == ["ALL"]


def test_every_key_of_the_file_is_kept_moved_or_named() -> None:
    handled = {*stack_service.KEPT, *stack_service.MOVED}
    services = compose_file.services().values()
    assert {key for service in services for key in service} - handled == set()
