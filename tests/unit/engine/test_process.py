from __future__ import annotations

import os
import pty
import signal
import sys
import time
from pathlib import Path

import pytest

from scripts.engine import process
from scripts.engine.process import tee


def sh(script: str) -> tuple[int, list[str]]:
    return tee(["/bin/sh", "-c", script], os.environ)


@pytest.mark.parametrize("code", [0, 1, 17])
def test_stderr_is_passed_on_and_returned(code: int, capfd: pytest.CaptureFixture[str]) -> None:
    script = f"echo one >&2; echo out; echo two >&2; printf three >&2; exit {code}"
    assert sh(script) == (code, ["one", "two", "three"])
    assert capfd.readouterr() == ("out\n", "one\ntwo\nthree")


def test_a_command_that_a_signal_ended_has_failed(capfd: pytest.CaptureFixture[str]) -> None:
    assert sh("kill -KILL $$") == (-9, [])
    assert capfd.readouterr() == ("", "")


def test_a_silent_command_returns_no_lines(capfd: pytest.CaptureFixture[str]) -> None:
    assert sh("exec 2>&-; exit 4") == (4, [])
    assert capfd.readouterr() == ("", "")


def test_only_the_tail_is_kept_and_all_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    script = "import sys\nfor n in range(30000): print(f'line {n:05}', file=sys.stderr)"
    code, lines = tee([sys.executable, "-c", script], os.environ)
    whole = "".join(f"line {n:05}\n" for n in range(30000))
    assert code == 0
    assert lines == whole[-process.TAIL_BYTES :].splitlines()
    assert lines[-1] == "line 29999"
    assert capfd.readouterr() == ("", whole)


def test_bytes_that_are_not_text_are_shown_as_such() -> None:
    assert sh(r"printf 'a\377b' >&2") == (0, ["a\ufffdb"])


def test_the_command_gets_the_environment_and_no_input() -> None:
    script = 'echo "$KNOB" >&2; read line || echo no input >&2'
    assert tee(["/bin/sh", "-c", script], {"KNOB": "on"}) == (0, ["on", "no input"])


def test_on_a_terminal_the_command_gets_one_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        result = sh("test -t 2 && echo terminal >&2; exit 5")
        monkeypatch.undo()
        shown = os.read(ours, 1000)
    os.close(ours)
    assert result == (5, ["terminal"])
    assert shown.replace(b"\r", b"") == b"terminal\n"


def test_an_interrupt_ends_the_command_and_its_children(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The command itself sends the interrupt, as Ctrl-C would, while it is being read."""
    script = "sleep 60 & echo $$ $! >&2; sleep 0.2; kill -INT $PPID; wait"
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        sh(script)
    assert time.monotonic() - start < 20
    processes = [int(word) for word in capfd.readouterr().err.split()]
    assert len(processes) == 2
    for _ in range(100):  # whoever adopts the child has to reap it
        if not any(map(_running, processes)):
            break
        time.sleep(0.05)
    assert [process for process in processes if _running(process)] == []


def test_an_interrupt_lets_the_command_say_its_last_words(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A pipe holds 64 KB: waiting without reading it would never end."""
    script = (
        "import os, signal, sys, time\n"
        "def end(number, frame):\n"
        "    sys.stderr.write('x' * 999_999 + '\\n')\n"
        "    sys.stderr.flush()\n"
        "    os._exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "sys.stderr.write(f'{os.getpid()}\\n')\n"
        "sys.stderr.flush()\n"
        "time.sleep(0.2)\n"
        "os.kill(os.getppid(), signal.SIGINT)\n"
        "time.sleep(60)\n"
    )

    def late(number: int, frame: object) -> None:
        raise AssertionError("still waiting after 20 seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, 20)
    try:
        with pytest.raises(KeyboardInterrupt):
            tee([sys.executable, "-c", script], os.environ)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    process, words = capfd.readouterr().err.splitlines()
    assert words == "x" * 999_999
    assert not _running(int(process))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_reader_that_went_away_ends_the_command_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run as in `make build 2>&1 | head -1`: staging tags are removed once nothing sets them."""
    script = (
        f"trap '' PIPE; trap 'echo last >&2; sleep 0.5; touch {tmp_path}/ended; exit' TERM\n"
        "echo one >&2\n"
        "while :; do sleep 0.05; done\n"
    )
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        monkeypatch.setattr(sys, "stderr", closed)
        with pytest.raises(BrokenPipeError):
            sh(script)
        monkeypatch.undo()
    assert (tmp_path / "ended").exists()


def _running(process: int) -> bool:
    """Return whether a process runs; one that waits to be reaped does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_no_descriptor_is_left_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    sh("echo one >&2")
    assert len(os.listdir("/proc/self/fd")) == before
