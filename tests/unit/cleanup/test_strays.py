"""Processes that a program leaves behind, without anything that tells whose they were."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest
from sutra_cleanup import sandbox, strays

# programs whose child sleeps without its parent's environment, group, session or parent
STARTS = "import subprocess as s; s.Popen(['sleep', '{0}'], start_new_session=True, env={{}})"
DAEMON = """
import os
if not os.fork():
    os.setsid()
    if not os.fork():
        os.execve('/bin/sleep', ['sleep', '{0}'], {{}})
    os._exit(0)
"""
IGNORES = """
import os, signal
for _ in range(5):
    if not os.fork():
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.execve('/bin/sleep', ['sleep', '{0}'], {{}})
"""


def sleeping(seconds: str) -> list[str]:
    """Return the processes that sleep for so long, a number that nobody else has."""
    wanted = f"sleep\0{seconds}\0".encode()
    pids = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if (place / "cmdline").read_bytes() == wanted:
                pids.append(place.name)
        except OSError:
            continue
    return pids


@pytest.fixture
def seconds() -> str:
    return f"600.{uuid.uuid4().int % 10**9}"


@pytest.mark.parametrize("source", [STARTS, DAEMON, IGNORES])
def test_a_process_without_its_parents_mark_is_ended_too(seconds: str, source: str) -> None:
    done = sandbox.run([sys.executable, "-c", source.format(seconds)], 60)
    assert (done.code, sleeping(seconds)) == (0, [])


def test_it_does_not_stay_as_a_zombie(seconds: str) -> None:
    sandbox.run([sys.executable, "-c", DAEMON.format(seconds)], 60)
    assert [
        name for name in map(stat_of, Path("/proc").glob("[0-9]*")) if "(sleep) Z" in name
    ] == []


def stat_of(place: Path) -> str:
    try:
        text = (place / "stat").read_text()
    except OSError:
        return ""
    return text if int(text.rpartition(")")[2].split()[1]) == os.getpid() else ""


def test_what_was_there_before_and_what_another_thread_watches_stays(seconds: str) -> None:
    earlier = subprocess.Popen(["sleep", seconds], start_new_session=True)
    own = subprocess.Popen(["sleep", "60"])
    try:
        with strays.adopted():
            watched = strays.start(["sleep", seconds])
            thread = threading.Thread(target=sandbox.run, args=(["true"], 60))
            thread.start()
            thread.join()
            assert len(sleeping(seconds)) == 2
            watched.kill()
            strays.ended(watched)
        assert (sleeping(seconds), own.poll()) == ([str(earlier.pid)], None)
    finally:
        for process in (earlier, own):
            process.kill()
            process.wait()


def test_orphans_are_adopted_in_the_block_alone(seconds: str) -> None:
    program = [sys.executable, "-c", STARTS.format(seconds)]
    subprocess.run(program, check=True)
    (pid,) = sleeping(seconds)
    try:
        parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
        assert int(parent) != os.getpid()
        with strays.adopted():
            sandbox.run(["true"], 60)  # it ends what is its own
        assert sleeping(seconds) == [pid]
    finally:
        os.kill(int(pid), 9)
