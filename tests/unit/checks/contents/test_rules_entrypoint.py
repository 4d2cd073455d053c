"""Command, health check and scripts: what each rule fails, and what passes."""

from __future__ import annotations

from scripts.checks.contents.rules_entrypoint import RULES
from tests.support.fixture_images import Item, elf, program
from tests.unit.checks.contents.judging import (
    Forbids,
    Passes,
    case,
    passing,
)

FAILING = [
    case("command", "no command", Cmd=None),
    case(
        "command", 'command is in shell form "/bin/sh -c python3"', Cmd=["/bin/sh", "-c", "python3"]
    ),
    case("command", 'command is in shell form "sh -ec x"', Cmd=["sh", "-ec", "x"]),
    case("command", 'command is in shell form "busybox sh -c x"', Cmd=["busybox", "sh", "-c", "x"]),
    case(
        "command",
        'command is in shell form "bash -o pipefail -e -c x"',
        Cmd=["bash", "-o", "pipefail", "-e", "-c", "x"],
    ),
    case("command", 'command not found "sh"', Cmd=["sh", "x", "-c"]),
    case("command", 'command not found "bash"', Cmd=["bash", "--norc", "x"]),
    case("command", 'command not found "python4"', Cmd=["python4"]),
    case("command", 'command not found "app/python3"', Entrypoint=["app/python3"]),
    case(
        "command",
        'command is not executable for the image\'s user "/app/x"',
        {"app/x": Item(mode=0o744)},
        Cmd=["/app/x"],
    ),
    case("healthcheck", "no HEALTHCHECK", Healthcheck=None),
    case("healthcheck", "no HEALTHCHECK", Healthcheck={"Test": ["NONE"]}),
    case(
        "healthcheck",
        'healthcheck is in shell form "curl localhost"',
        Healthcheck={"Test": ["CMD-SHELL", "curl localhost"]},
    ),
    case("healthcheck", 'healthcheck not found "curl"', Healthcheck={"Test": ["CMD", "curl"]}),
    case(
        "scripts",
        'interpreter not found "/bin/sh -e", of "app/x"',
        {"app/x": program(b"#!/bin/sh -e\n")},
    ),
]


PASSING = [
    passing("a script with its interpreter", {"app/x": program(b"#!/usr/bin/python3\n")}),
    passing("a dead script that nobody may execute", {"app/x": "#!/bin/sh\n"}),
    passing(
        "a command relative to the working folder",
        {"app/x": program(elf())},
        Cmd=["./x"],
        WorkingDir="/app",
    ),
    passing(
        "a command for its group alone",
        {"app/x": Item(elf(), mode=0o750, gid=10001)},
        Cmd=["/app/x"],
    ),
]


class TestEntrypoint(Forbids, Passes):
    rules, failing = RULES, FAILING
    passing = PASSING
