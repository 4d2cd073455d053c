"""Command, health check and scripts: what each rule fails, and what passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.checks.contents.rules_entrypoint import RULES
from tests.support.fixture_images import Item, Made, elf, program
from tests.support.good_image import NAME
from tests.unit.checks.contents.judging import (
    case,
    details,
    passing,
    verify,
)

FAILING = [
    case("command", "no command", Cmd=None),
    case("command", 'command is in shell form "/bin/sh -c python3"',
         Cmd=["/bin/sh", "-c", "python3"]),
    case("command", 'command is in shell form "sh -ec x"', Cmd=["sh", "-ec", "x"]),
    case("command", 'command is in shell form "busybox sh -c x"', Cmd=["busybox", "sh", "-c", "x"]),
    case("command", 'command is in shell form "bash -o pipefail -e -c x"',
         Cmd=["bash", "-o", "pipefail", "-e", "-c", "x"]),
    case("command", 'command not found "sh"', Cmd=["sh", "x", "-c"]),
    case("command", 'command not found "bash"', Cmd=["bash", "--norc", "x"]),
    case("command", 'command not found "python4"', Cmd=["python4"]),
    case("command", 'command not found "app/python3"', Entrypoint=["app/python3"]),
    case("command", 'command is not executable for the image\'s user "/app/x"',
         {"app/x": Item(mode=0o744)}, Cmd=["/app/x"]),
    case("healthcheck", "no HEALTHCHECK", Healthcheck=None),
    case("healthcheck", "no HEALTHCHECK", Healthcheck={"Test": ["NONE"]}),
    case("healthcheck", 'healthcheck is in shell form "curl localhost"',
         Healthcheck={"Test": ["CMD-SHELL", "curl localhost"]}),
    case("healthcheck", 'healthcheck not found "curl"', Healthcheck={"Test": ["CMD", "curl"]}),
    case("scripts", 'interpreter not found "/bin/sh -e", of "app/x"',
         {"app/x": program(b"#!/bin/sh -e\n")}),
]  # fmt: skip


PASSING = [
    passing("a script with its interpreter", {"app/x": program(b"#!/usr/bin/python3\n")}),
    passing("a dead script that nobody may execute", {"app/x": "#!/bin/sh\n"}),
    passing("a command relative to the working folder", {"app/x": program(elf())},
            Cmd=["./x"], WorkingDir="/app"),
    passing("a command for its group alone", {"app/x": Item(elf(), mode=0o750, gid=10001)},
            Cmd=["/app/x"]),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "message", "image"), FAILING)
def test_what_a_rule_forbids_fails_that_rule_alone(
    rule: str, message: str, image: Made, tmp_path: Path
) -> None:
    results = verify(tmp_path, image)
    assert details(results, tmp_path) == [f"images.yaml: images.{NAME}.contents.{rule}: {message}"]


def test_every_rule_has_an_image_that_fails_it() -> None:
    assert {item.values[0] for item in FAILING} == {rule.name for rule in RULES}


@pytest.mark.parametrize("image", PASSING)
def test_what_is_near_to_it_passes(image: Made, tmp_path: Path) -> None:
    assert details(verify(tmp_path, image), tmp_path) == []
