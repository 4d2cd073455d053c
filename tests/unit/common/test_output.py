"""Real processes, whose standard streams are full, closed or without a reader."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

LONG = "x" * 100_000  # more than any buffer of Python's holds
FULL = "cannot be written: No space left on device\ntip: free space where it goes, "
FULL += "or send it elsewhere\n"


def run(redirection: str, main: str, **knobs: str) -> tuple[int, str, str]:
    """Run `main` behind the front door's guard, in a shell; return code, stdout and stderr."""
    script = f"""
import sys
from scripts.common import errors, output
from scripts.common.terminal import console
def main():
    {main}
    return 0
output.guard()
errors.run(main)
"""
    command = f'exec "$PYTHON" -c "$SCRIPT" {redirection}'
    environment = {**os.environ, "PYTHON": sys.executable, "SCRIPT": script, "LONG": LONG, **knobs}
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr


WRITERS = [
    'print("one line")',
    'import os; print(os.environ["LONG"])',
    'console().print("a table")',
    "import argparse; argparse.ArgumentParser().parse_args(['--help'])",
]


@pytest.mark.parametrize("main", WRITERS)
def test_standard_output_that_is_full(main: str) -> None:
    assert run(">/dev/full", main) == (2, "", f"standard output {FULL}")


@pytest.mark.parametrize("main", WRITERS)
def test_standard_output_that_is_closed(main: str) -> None:
    assert run(">&-", main) == (0, "", "")


def test_a_file_that_is_opened_does_not_become_standard_output(tmp_path: Path) -> None:
    main = f'file = open("{tmp_path}/file", "w"); print("not there"); file.close()'
    assert run(">&-", main) == (0, "", "")
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize("main", WRITERS)
def test_a_reader_that_has_left(main: str) -> None:
    """The order varies: each writer may end before `true` does."""
    code, _, said = run("> >(exec 0<&-)", f"import time; time.sleep(0.3); {main}")
    assert (code, said) == (2, "")


def test_standard_error_that_is_full() -> None:
    main = 'print("a word on the way", file=sys.stderr)'
    assert run("2>/dev/full", main) == (2, "", "")


def test_standard_error_that_is_closed() -> None:
    """Without the guard its message would go to standard output."""
    main = 'print("a word", file=sys.stderr); print("data")'
    assert run("2>&-", main) == (0, "data\n", "")


def test_an_error_of_another_file_is_not_blamed_on_the_output() -> None:
    code, out, said = run("", 'open("/dev/full", "wb", 0).write(b"x")')
    assert (code, out) == (2, "")
    assert 'unexpected error "OSError: [Errno 28] No space left on device"' in said


def test_the_front_door_is_guarded() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "scripts", "--help"],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (done.returncode, done.stderr) == (2, f"standard output {FULL}")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_character_that_the_encoding_lacks_is_an_escape(encoding: str, stream: str) -> None:
    main = f'print("a \\u2192 b \\udcff", file=sys.{stream})'
    code, *said = run("", main, PYTHONIOENCODING=encoding)
    arrow = "\u2192" if encoding == "utf-8" else "\\u2192"
    assert code == 0
    assert said[stream == "stderr"] == f"a {arrow} b \\udcff\n"
