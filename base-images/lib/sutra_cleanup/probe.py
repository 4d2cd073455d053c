"""Ask an interpreter what loads: modules by import, entry points, libraries by the loader.

The interpreter may be another root's (`chroot /rootfs python3`), so the worker goes to
it as text, and its answers come back line by line. An interpreter that crashes, or does
not answer in time, is started again behind the item that it was at.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from . import sandbox

# time limit for one import; a package that exceeds it HANGS times is not imported any further
SECONDS = 60
HANGS = 2
OK = ""
_WORKER = Path(__file__).with_name("worker.py").read_text(encoding="utf-8")


@dataclass
class _Heard:
    """The answers of one interpreter, the item that it was at, and how it ended."""

    answers: dict[str, str] = field(default_factory=dict)
    begun: str = ""
    done: bool = False
    hung: bool = False
    code: int = 0


def imports(python: Sequence[str], modules: Sequence[str]) -> dict[str, str]:
    """Import all `modules`, packages side by side; return what each said: "" when it loaded.

    Those of one package are imported in order, by one interpreter for as long as it lives.
    """
    return _ask_all(python, "import", modules)


def entry_points(python: Sequence[str], values: Sequence[str]) -> dict[str, str]:
    """Load all entry points ("package.module:name") and return what each said."""
    return _ask_all(python, "entry point", values)


def loads(python: Sequence[str], libraries: Sequence[str]) -> dict[str, str]:
    """Load all shared `libraries` and return the loader's message for each, "" if it loaded."""
    with sandbox.scratch() as place:
        return _ask(python, "load", libraries, place)


def _ask_all(python: Sequence[str], kind: str, items: Sequence[str]) -> dict[str, str]:
    workers = len(os.sched_getaffinity(0))
    with sandbox.scratch() as place, ThreadPoolExecutor(workers) as pool:
        shares = _shares(list(dict.fromkeys(items)), workers)
        answers = pool.map(lambda share: _ask(python, kind, share, place), shares)
        outcomes = {item: text for answer in answers for item, text in answer.items()}
    return {item: outcomes[item] for item in dict.fromkeys(items)}


def package(item: str) -> str:
    """Return the top-level package of a module or an entry point."""
    return item.partition(":")[0].partition(".")[0].strip()


def _shares(items: list[str], workers: int) -> list[list[str]]:
    """Split `items` between about twice as many interpreters as `workers`, packages whole."""
    packages: dict[str, list[str]] = {}
    for item in items:
        packages.setdefault(package(item), []).append(item)
    enough = len(items) / (2 * workers)
    shares: list[list[str]] = []
    for names in sorted(packages.values(), key=len, reverse=True):
        if not shares or len(shares[-1]) >= enough:
            shares.append([])
        shares[-1] += names
    return shares


def _ask(
    python: Sequence[str], kind: str, items: Sequence[str], place: sandbox.Scratch
) -> dict[str, str]:
    answers: dict[str, str] = {}
    hung: Counter[str] = Counter()
    left = list(dict.fromkeys(items))
    while left:
        heard = _talk(python, [kind, left, place.folder], place)
        answers |= {item: text for item, text in heard.answers.items() if item in left}
        if not heard.begun:  # it never came as far as the first item
            outcome = "gave no answer" if heard.hung else f"exited with {heard.code}"
            return {**dict.fromkeys(left, f"interpreter {outcome}"), **answers}
        if heard.hung:
            seconds = sandbox.patience(SECONDS)
            answers.setdefault(heard.begun, f"no answer in {seconds} s")
            hung[package(heard.begun)] += 1
        else:  # it ended at this item, or the item itself wrote that all is done
            answers.setdefault(heard.begun, f"interpreter crashed with {heard.code}")
        left = [item for item in left if item not in answers]
        for item in left:
            if hung[package(item)] >= HANGS:
                answers[item] = f'not asked: "{package(item)}" gave no answer {HANGS} times'
        left = [item for item in left if item not in answers]
    return answers


def _talk(python: Sequence[str], question: list[object], place: sandbox.Scratch) -> _Heard:
    heard = _Heard()
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with sandbox.started([*python, "-c", _WORKER], place, **streams) as process:
        _send(process, json.dumps(question).encode() + b"\n")
        for line in sandbox.lines(process, sandbox.patience(SECONDS)):
            _hear(heard, line)
            if heard.done:
                return heard
        heard.hung = not sandbox.is_over(process)
    heard.code = process.returncode
    return heard


def _send(process: subprocess.Popen[bytes], question: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 # for mypy: it was asked for
    try:
        process.stdin.write(question)
        process.stdin.close()
    except BrokenPipeError:  # it ended without reading: its exit code says so
        return


def _hear(heard: _Heard, line: bytes) -> None:
    """Take in one line. A module that finds the answers' descriptor may write anything there."""
    try:
        answer = json.loads(line)
    except ValueError:
        return
    if not isinstance(answer, dict):
        return
    heard.done = heard.done or answer.get("done") is True
    if isinstance(answer.get("start"), str):
        heard.begun = answer["start"]
    if isinstance(answer.get("end"), str) and isinstance(answer.get("said"), str):
        heard.answers[answer["end"]] = answer["said"]
