"""Test the program that runs inside a container of tools, as far as it needs no container."""

from __future__ import annotations

import subprocess
import sys

import pytest

from scripts.engine import target_view


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, target_view.__file__, *words]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_command_takes_the_place_of_the_process() -> None:
    done = run("0", "sh", "-c", "echo here; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "here\n", "")


@pytest.mark.parametrize(
    ("program", "reason"),
    [("no-such-program", "No such file or directory"), ("/etc", "Permission denied")],
)
def test_a_missing_command_is_one_line(program: str, reason: str) -> None:
    done = run("0", program)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f'debug: COMMAND: cannot be started "{program}": {reason}\n'
        "tip: TOOLS=… names an image that has it\n"
    )


def test_files_that_cannot_be_shown_are_one_line() -> None:
    done = run("999999999", "sh")
    assert done.returncode == 2
    first, tip = done.stderr.splitlines()
    assert first.startswith("debug: cannot show the target's files: ")
    assert tip == "tip: docs/debugging.md says what still works"
