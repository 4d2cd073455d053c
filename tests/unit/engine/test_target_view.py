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


def test_a_container_without_a_process_is_one_line() -> None:
    done = run("f" * 64, "sh")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2,
        "debug: cannot show the target's files: no process is of container ffffffffffff",
    )


def test_the_user_of_a_shell_is_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    statuses = {1: "Uid:\t0\t0\t0\t0\n", 7: "Name:\tx\nUid:\t10001\t65533\t1\t1\n", 9: ""}
    monkeypatch.setattr(target_view, "processes", lambda: iter(statuses))
    monkeypatch.setattr(target_view, "content", lambda pid, name: statuses[pid])
    assert target_view.free_user() == 65532


def test_the_first_process_of_a_container_is_found_by_its_cgroup(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    groups = {1: "0::/init", 7: f"0::/../{'a' * 64}.scope", 8: f"0::/../{'a' * 64}.scope"}
    monkeypatch.setattr(target_view, "processes", lambda: iter(groups))
    monkeypatch.setattr(target_view, "content", lambda pid, name: groups[pid])
    assert target_view.first_process("a" * 64) == 7
