"""Processes are forked in a program of its own: pytest-xdist's workers have threads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
START = """\
import json, os, signal, sys, threading, time
from scripts.image import layer_processes
layer_processes._processors_of_this_machine = lambda: 2
me = os.getpid()
"""


def program(code: str) -> subprocess.Popen[str]:
    """Start a program that may be forked."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", START + code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def answer(code: str) -> object:
    """Return what a program prints as JSON, and check that it says nothing else."""
    with program(code) as running:
        output, errors = running.communicate(timeout=60)
    assert (running.returncode, errors) == (0, "")
    return json.loads(output)


def is_running(identity: int) -> bool:
    try:
        state = Path(f"/proc/{identity}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return False
    return state != "Z"


def wait_for_end(identity: int) -> None:
    end = time.monotonic() + 30
    while is_running(identity):
        assert time.monotonic() < end, identity
        time.sleep(0.01)


@pytest.mark.parametrize("count", [0, 1, 2, 500, 3000])
def test_each_item_is_worked_on_once(count: int) -> None:
    """More of them than a pipe holds are no exception."""
    results = answer(
        f"items = [(number % 7, number) for number in range({count})]\n"
        "print(json.dumps(sorted(layer_processes.spread(lambda number: number * 2, items))))\n"
    )
    assert results == [number * 2 for number in range(count)]


def test_two_processes_work_at_once_and_the_largest_is_begun_first() -> None:
    """Either waits until the other has begun: one alone would never end."""
    code = """\
import pathlib, tempfile
folder = pathlib.Path(tempfile.mkdtemp())
def work(number):
    (folder / str(number)).touch()
    while len(list(folder.iterdir())) < 2:
        time.sleep(0.001)
    return number, os.getpid()
results = layer_processes.spread(work, [(1, 1), (30, 30), (20, 20)])
first_two = {number for number, _ in results if (folder / str(number)).stat().st_mtime_ns
             <= (folder / "1").stat().st_mtime_ns} - {1}
import shutil
shutil.rmtree(folder)
print(json.dumps([sorted(first_two), len({process for _, process in results})]))
"""
    assert answer(code) == [[20, 30], 2]


def test_an_item_that_raises_is_passed_over() -> None:
    code = """\
items = [(1, number) for number in range(20)]
print(json.dumps(sorted(layer_processes.spread(lambda number: 60 // (number % 5), items))))
"""
    assert answer(code) == sorted([60, 30, 20, 15] * 4)


def test_a_process_that_is_killed_costs_its_own_results_alone() -> None:
    code = """\
def work(number):
    if os.getpid() != me:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return number
results = layer_processes.spread(work, [(1, number) for number in range(10)])
print(json.dumps(len(results)))
"""
    assert answer(code) == 9


def test_nothing_is_forked_beside_another_thread() -> None:
    code = """\
stop = threading.Event()
threading.Thread(target=stop.wait).start()
results = layer_processes.spread(lambda number: os.getpid(), [(1, 1), (1, 2), (1, 3)])
stop.set()
print(json.dumps(results == [me] * 3))
"""
    assert answer(code) is True


def test_a_thread_that_was_joined_just_now_is_none() -> None:
    """The system lists it a moment longer than Python does."""
    code = """\
alone = []
for _ in range(50):
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    alone.append(layer_processes._is_alone())
print(json.dumps(all(alone)))
"""
    assert answer(code) is True


def test_what_happens_meanwhile_begins_when_all_processes_run() -> None:
    """A thread that is started before would be in the way."""
    code = """\
import contextlib
@contextlib.contextmanager
def meanwhile():
    timer = threading.Timer(60, print)
    timer.start()
    yield
    timer.cancel()
def work(number):
    time.sleep(0.05)
    return os.getpid()
results = layer_processes.spread(work, [(1, number) for number in range(6)], meanwhile())
print(json.dumps(len(set(results))))
"""
    assert answer(code) == 2


WAITING = """\
def work(number):
    if os.getpid() != me:
        print(os.getpid(), flush=True)
    time.sleep(0.5)
"""


def test_an_interrupt_ends_all_processes_without_a_traceback() -> None:
    code = f"""{WAITING}
try:
    layer_processes.spread(work, [(1, number) for number in range(1000)])
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    with program(code) as running:
        assert running.stdout
        process = int(running.stdout.readline())
        assert is_running(process)
        running.send_signal(signal.SIGINT)
        output, errors = running.communicate(timeout=60)
    assert output.splitlines()[-1] == "interrupted"
    assert (running.returncode, errors) == (0, "")
    assert not is_running(process)


def test_an_interrupt_while_a_process_is_begun_ends_it() -> None:
    """It was sent just then in one run of some hundred: the process was not known yet."""
    code = f"""{WAITING}
fork = layer_processes._fork
def interrupted(work, items):
    process = fork(work, items)
    os.kill(os.getpid(), signal.SIGINT)
    print(process[0].pid, flush=True)
    return process
layer_processes._fork = interrupted
try:
    layer_processes.spread(work, [(1, number) for number in range(1000)])
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    with program(code) as running:
        output, errors = running.communicate(timeout=60)
    first, *_, last = output.splitlines()
    assert last == "interrupted"
    assert (running.returncode, errors) == (0, "")
    assert not is_running(int(first))


@pytest.mark.parametrize("end", ["SIGINT", "SIGTERM"])
def test_a_second_interrupt_does_not_end_what_cleans_up(end: str) -> None:
    """A terminal interrupts a whole group, and the parent its own processes once more."""
    code = f"""\
def work(number):
    if os.getpid() == me:
        time.sleep(60)
    try:
        print(os.getpid(), flush=True)
        time.sleep(60)
    finally:
        for part in range(3):
            os.kill(os.getpid(), signal.{end})
            time.sleep(0.02)
        print("cleaned up", flush=True)
signal.signal(signal.SIGTERM, signal.default_int_handler)
try:
    layer_processes.spread(work, [(1, 1), (1, 2)])
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    with program(code) as running:
        assert running.stdout
        int(running.stdout.readline())
        os.killpg(running.pid, getattr(signal, end))
        output, errors = running.communicate(timeout=60)
    assert output.splitlines() == ["cleaned up", "interrupted"]
    assert (running.returncode, errors) == (0, "")


def test_an_interrupt_once_all_is_done_says_nothing() -> None:
    code = """\
interrupted_once = layer_processes._interrupted_once
@layer_processes.contextmanager
def and_then():
    with interrupted_once():
        yield
    os.kill(os.getpid(), signal.SIGINT)
layer_processes._interrupted_once = and_then
def work(number):
    time.sleep(0.05)
    return number
print(json.dumps(sorted(layer_processes.spread(work, [(1, number) for number in range(6)]))))
"""
    assert answer(code) == list(range(6))


def test_a_process_ends_by_itself_where_its_parent_was_killed() -> None:
    """It finishes what it is at, and begins none of the thousand that are left."""
    code = f"{WAITING}\nlayer_processes.spread(work, [(1, number) for number in range(1000)])\n"
    with program(code) as running:
        assert running.stdout
        process = int(running.stdout.readline())
        os.kill(running.pid, signal.SIGKILL)
        running.wait(60)
        wait_for_end(process)
        assert running.stderr
        assert running.stderr.read() == ""
