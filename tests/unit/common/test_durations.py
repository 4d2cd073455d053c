"""Long steps show how long they took last time, on terminals and in pipelines that ask for it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.common import durations
from scripts.common.durations import FILE, as_text, step
from tests.conftest import ROOT


@pytest.fixture
def clock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A pipeline that asks for times, and a clock that shows these times in turn."""
    times: list[float] = []
    monkeypatch.setenv("DURATIONS", "1")
    monkeypatch.setattr("time.monotonic", lambda: times.pop(0))
    return times


def kept() -> object:
    return json.loads(FILE.read_text())


def test_a_step_shows_its_last_duration(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    clock += [0.0, 134.2, 500.0, 503.0]
    for _ in range(2):
        with step("build"):
            pass
    assert capsys.readouterr().err == (
        "build: begins\nbuild: took 2 min 15 s\n"
        "build: begins, took 2 min 15 s last time\nbuild: took 3 s\n"
    )
    assert kept() == {"build": 3.0}
    assert [file.name for file in FILE.parent.iterdir()] == ["durations.json"]


@pytest.mark.parametrize(
    ("seconds", "lines"),
    [(2.0, "begins, took 2 s last time\nbuild: took 2 s\n"), (1.9, "")],
)
def test_what_nobody_waits_for_is_not_shown(
    seconds: float, lines: str, clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    FILE.parent.mkdir()
    FILE.write_text(json.dumps({"build": seconds, "test": 7}))
    clock += [0.0, seconds]
    with step("build"):
        pass
    assert capsys.readouterr().err == (f"build: {lines}" if lines else "")
    assert kept() == {"build": seconds, "test": 7.0}


def test_a_step_that_fails_keeps_the_earlier_duration(clock: list[float]) -> None:
    clock += [0.0, 9.0, 0.0]
    with step("build"):
        pass
    with pytest.raises(ValueError, match="x"), step("build"):
        raise ValueError("x")
    assert kept() == {"build": 9.0}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "7",
        '{"build": "x"}',
        '{"build": true}',
        '{"build": -1}',
        '{"build": 1e999}',
        "[" * 100_000,
        '{"build": ' + "9" * 400 + "}",
    ],
)
def test_a_damaged_file_is_ignored_with_a_word(
    content: str, clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    FILE.parent.mkdir()
    FILE.write_text(content)
    clock += [0.0, 3.0]
    with step("build"):
        pass
    first, *rest = capsys.readouterr().err.splitlines()
    assert first == ".build/durations.json: ignored: damaged"
    assert rest[0] == "build: begins"
    assert kept() == {"build": 3.0}


def test_a_place_that_cannot_be_written_is_named(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    FILE.parent.write_text("")
    clock += [0.0, 3.0]
    with step("build"):
        pass
    assert capsys.readouterr().err == (
        ".build/durations.json: ignored: Not a directory\nbuild: begins\nbuild: took 3 s\n"
        ".build/durations.json: ignored: Not a directory\n"
        'durations: cannot write ".build/durations.json": File exists\n'
    )


@pytest.mark.parametrize("knob", ["", "0", "no"])
def test_nothing_is_shown_or_kept_without_a_terminal(
    knob: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DURATIONS", knob)
    with step("build"):
        pass
    assert capsys.readouterr() == ("", "")
    assert not FILE.exists()


def test_a_terminal_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DURATIONS", raising=False)
    assert not durations.is_shown()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert durations.is_shown()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.1, "1 s"), (59.0, "59 s"), (59.1, "1 min 0 s"), (60, "1 min 0 s"), (3600, "60 min 0 s")],
)
def test_a_duration_as_text(seconds: float, text: str) -> None:
    assert as_text(seconds) == text


# a command that an interrupt ends, after it has removed what it made
INTERRUPTED = """
import signal, sys, time
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print("cleaning", flush=True)
    time.sleep(1)
    print("cleaned")
    sys.exit(9)
"""


def timed(script: str) -> list[str]:
    """Return the command that runs a shell script as the step "engine"."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
        "from scripts.common.durations import main; sys.exit(main(sys.argv[1:]))"
    )
    return [sys.executable, "-IS", "-c", code, "engine", "sh", "-c", script]


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
def test_a_command_keeps_its_exit_code(script: str, code: int, folder: Path) -> None:
    done = subprocess.run(
        timed(f"echo out; {script}"),
        env={**os.environ, "DURATIONS": "1"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (code, "out\n")
    assert done.stderr == "engine: begins\n"
    assert FILE.exists() == (code == 0)


@pytest.mark.parametrize("shown", ["1", ""])
def test_an_interrupted_command_cleans_up_before_it_ends(shown: str, folder: Path) -> None:
    """A terminal sends the interrupt to all of its processes, and twice where it is typed twice."""
    process = subprocess.Popen(
        timed(f"exec {sys.executable} -c '{INTERRUPTED}'"),
        env={**os.environ, "DURATIONS": shown},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    for line in ("ready\n", "cleaning\n"):
        assert process.stdout.readline() == line
        os.killpg(process.pid, signal.SIGINT)
    out, errors = process.communicate(timeout=20)
    assert (process.returncode, out) == (9, "cleaned\n")
    assert errors == ("engine: begins\n" if shown else "")
    assert not FILE.exists()


@pytest.mark.parametrize("python", ["python3", "no-such-python"])
def test_without_a_python_the_command_just_runs(python: str) -> None:
    done = subprocess.run(
        [ROOT / "scripts/timed.sh", "engine", "echo", "a b"],
        env={**os.environ, "PYTHON": python, "DURATIONS": ""},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "a b\n", "")


# targets whose help gives minutes, benches and suites; `fuzz` takes the seconds that it is given
LONG_TARGET = re.compile(
    r"^((?:bench|test)[a-z-]*|[a-z-]+(?=:.*## .*minutes)):.*\n((?:\t.*\n)+)", re.MULTILINE
)
RECIPES = dict(LONG_TARGET.findall((ROOT / "Makefile").read_text()))


@pytest.mark.parametrize("target", RECIPES)
def test_a_target_that_takes_minutes_shows_how_long_it_took(target: str) -> None:
    commands = RECIPES[target].splitlines()
    names = [re.match(r"\t@scripts/timed\.sh ([a-z-]+) ", command) for command in commands]
    assert all(names), commands
    assert len({name[1] for name in names if name}) == len(commands)


def test_there_are_such_targets() -> None:
    assert {"bench", "bench-storage", "test", "test-workflow", "test-postgres"} <= RECIPES.keys()
