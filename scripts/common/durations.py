"""Show each long step as it begins, with its duration last time, kept in .build/durations.json.

`scripts/timed.sh NAME COMMAND…` does so for a command, also before there is a virtual environment:
this module needs the standard library alone.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from scripts.common import files
from scripts.common.errors import DiskError

FILE = Path(".build/durations.json")
KNOB = "DURATIONS"
# seconds of a step that nobody waits for: it is not shown
SHORT = 2.0


def is_shown(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether a person watches (stdout is a terminal) or a pipeline asks (DURATIONS=1)."""
    return sys.stdout.isatty() or environment.get(KNOB) == "1"


@contextmanager
def step(name: str) -> Iterator[None]:
    """Show the step `name` around a block, and keep its duration unless the block raises."""
    if not is_shown():
        yield
        return
    last = read().get(name)
    if last is None:
        _print(f"{name}: begins")
    elif last >= SHORT:
        _print(f"{name}: begins, took {as_text(last)} last time")
    begun = time.monotonic()
    yield
    seconds = time.monotonic() - begun
    if seconds >= SHORT:
        _print(f"{name}: took {as_text(seconds)}")
    keep(name, seconds)


def as_text(seconds: float) -> str:
    """Return a duration for people, rounded up: 134.2 → "2 min 15 s"."""
    minutes, seconds_left = divmod(math.ceil(seconds), 60)
    return f"{minutes} min {seconds_left} s" if minutes else f"{seconds_left} s"


def read() -> dict[str, float]:
    """Return the last duration of each step in seconds; a damaged file is ignored, with a word."""
    try:
        durations = json.loads(FILE.read_bytes())
        if not all(_is_duration(seconds) for seconds in durations.values()):
            raise ValueError("not numbers of seconds")
    except FileNotFoundError:
        return {}
    except OSError as error:
        _print(f"{FILE}: ignored: {error.strerror}")
    except (ValueError, AttributeError, RecursionError):
        _print(f"{FILE}: ignored: damaged")
    else:
        return {str(name): float(seconds) for name, seconds in durations.items()}
    return {}


def keep(name: str, seconds: float) -> None:
    """Write the duration of one step beside the others; a file that cannot be written is named."""
    text = json.dumps({**read(), name: round(seconds, 1)}, indent=1, sort_keys=True)
    try:
        files.write(FILE, text + "\n", "durations", "")
    except DiskError as error:
        _print(error.message)


def main(words: Sequence[str]) -> int:
    """Run the command `words[1:]` as the step `words[0]`; return its exit code."""
    name, *command = words
    try:
        with step(name):
            _leave_interrupts_to_the_command()
            subprocess.run(command, check=True)
    except subprocess.CalledProcessError as error:
        return error.returncode if error.returncode > 0 else 128 - error.returncode
    return 0


def _leave_interrupts_to_the_command() -> None:
    """Wait for a command that a terminal interrupts: it may have containers to remove.

    The terminal interrupts both. This handler is not inherited, as one that is ignored would be.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: None)


def _is_duration(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 <= float(str(value)) < math.inf


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
