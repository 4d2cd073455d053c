"""Work on several layers at once, in a few processes.

Most of the work is Python's own (headers, facts, secrets), which threads would do in turn. The
processes are forked: none imports or prepares anything again. The standard library's pools leave
processes behind where their parent is killed; here each ends after the layer it is at.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from itertools import takewhile
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NoReturn, TypeVar

T = TypeVar("T")
Result = TypeVar("Result")
_Process = tuple[BaseProcess, Connection]
# processes at most: one takes some 50 MB, and few images have more large layers
MOST = 4
# signals that count as interrupts (scripts.common.errors.run)
INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
# seconds until a thread that Python has joined is gone from the system's list
PATIENCE = 0.02
_THREADS = Path("/proc/self/task")
# numbers of items on their way through a pipe, and how many it takes before it is read
_TICKET = struct.Struct("<I")
TICKETS = 4096 // _TICKET.size


def spread(
    work: Callable[[T], Result],
    items: Sequence[tuple[int, T]],
    meanwhile: AbstractContextManager[object] | None = None,
) -> list[Result]:
    """Do `work` on all items, largest first; the number beside an item is its size.

    Return the results, in any order. An item has no result if its work raises, or if the process
    that works on it is killed; the caller can do the work again alone, and see the error.
    `meanwhile` is entered when all processes run: it may start threads.
    """
    largest_first = [item for _, item in sorted(items, key=lambda pair: pair[0], reverse=True)]
    shared, own = largest_first[:TICKETS], largest_first[TICKETS:]
    with (
        _taken_in_turn(shared) as waiting,
        _forked(work, waiting, len(shared)) as processes,
        meanwhile or nullcontext(),
    ):
        results = _done(work, waiting)
        for _, connection in processes:
            with suppress(EOFError):  # it was killed
                results += connection.recv()
        return results + _done(work, own)


@contextmanager
def _taken_in_turn(items: Sequence[T]) -> Iterator[Iterable[T]]:
    """Yield the items as what every process forked from here takes one after the other of.

    A pipe needs no lock, which a process that is killed might hold.
    """
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", buffering=0) as tickets:
        with os.fdopen(writer, "wb", buffering=0) as box:
            box.write(b"".join(map(_TICKET.pack, range(len(items)))))
        taken = iter(lambda: tickets.read(_TICKET.size), b"")
        yield (items[_TICKET.unpack(ticket)[0]] for ticket in taken)


@contextmanager
def _forked(
    work: Callable[[T], Result], items: Iterable[T], count: int
) -> Iterator[list[_Process]]:
    """Do `work` in other processes, no more than there are items; all have ended afterwards."""
    processes = list[_Process]()
    try:
        for _ in range(min(_processors(), count) - 1):
            # an interrupt comes before a process is begun, or once it is known; no room is no error
            with suppress(OSError), _without_interrupts():
                processes.append(_fork(work, items))
        yield processes
    except BaseException:
        for process, _ in processes:
            if process.pid:  # not waited for yet: still its id
                os.kill(process.pid, signal.SIGINT)
        raise
    finally:
        for process, connection in processes:
            process.join()
            connection.close()


def _fork(work: Callable[[T], Result], items: Iterable[T]) -> _Process:
    """Begin a process, and return it with what its results come through. Raises OSError."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    with sender:
        ours = takewhile(partial(_has_parent, os.getpid()), items)
        process = context.Process(target=_send, args=(work, ours, sender))
        try:
            process.start()
        except OSError:
            receiver.close()
            raise
    return process, receiver


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Let interrupts wait until the block has ended."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _has_parent(parent: int, _: object) -> bool:
    """Return whether the results are still waited for: a parent may be killed."""
    return os.getppid() == parent


def _send(work: Callable[[T], Result], items: Iterable[T], sender: Connection) -> None:
    with suppress(KeyboardInterrupt, BrokenPipeError), sender, _interrupted_once():
        sender.send(_done(work, items))


@contextmanager
def _interrupted_once() -> Iterator[None]:
    """Let one interrupt end the block, and none what follows it.

    A terminal interrupts every process of a group, and the parent its own ones besides: a second
    interrupt would end what removes a partial file.
    """

    def interrupt(*_: object) -> NoReturn:
        _handle_interrupts(_pass_over)
        raise KeyboardInterrupt

    _handle_interrupts(interrupt)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
        yield
    finally:
        _handle_interrupts(_pass_over)


def _handle_interrupts(handler: Callable[..., None]) -> None:
    for interrupt in INTERRUPTS:
        signal.signal(interrupt, handler)


def _pass_over(*_: object) -> None:
    """Do nothing. SIG_IGN instead makes Python print that it ignored one that came just then."""


def _done(work: Callable[[T], Result], items: Iterable[T]) -> list[Result]:
    results = []
    for item in items:
        with suppress(Exception):  # raised again where the item is worked on alone
            results.append(work(item))
    return results


def _processors() -> int:
    """Return how many processes may work at once: one where forking is unknown, or not safe.

    A lock that another thread holds while a process is forked would stay locked there.
    """
    return min(MOST, _processors_of_this_machine()) if _is_alone() else 1


def _processors_of_this_machine() -> int:
    return len(os.sched_getaffinity(0))


def _is_alone() -> bool:
    """Return whether this thread is the only one; one that has just ended is waited for."""
    end = time.monotonic() + PATIENCE
    try:
        while len(list(_THREADS.iterdir())) > 1:
            if time.monotonic() > end:
                return False
            time.sleep(0.001)
    except OSError:  # a system without Linux's /proc
        return False
    return True
