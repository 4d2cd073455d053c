"""The packages' own tests, on the cleaned tree: the `test` stage of each service.

They run beside the other checks, as one build of the bake file's `<image>-test` targets;
BuildKit remembers what passed. Where that build fails, each target is built alone, so that
every image gets a result of its own.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import IO

from scripts.build import bake
from scripts.catalog.catalog import Catalog
from scripts.common import platforms
from scripts.common.check_result import CheckResult
from scripts.common.errors import SutraError
from scripts.common.text import printable
from scripts.engine import builders, buildx
from scripts.engine import client as engine

NAME = "tests"
SUFFIX = "-test"
# seconds for the tests of all packages together, including the stages that they build on
LIMIT = 1800
# seconds in which no step writes a word: then one hangs, and the rest of the time is not waited for
QUIET = 600
# seconds without a word after which stderr names the step that is silent
TELL = 60
# seconds for each target alone after that: what passed is cached, and answers at once
AGAIN = 60
# seconds between two looks at what the steps write
LOOK = 0.5
GRACE = 10
KNOB, SKIP = "TESTS", "skip"
SKIPPED = f"{KNOB}={SKIP}"
ELSEWHERE = f"tests run on this machine's {platforms.name_of(platforms.OWN)} alone"
# the log's block about the step that failed, and a line of it without its time
STEP = re.compile(r"^------\n > .*?:\n(.*?)^------$", re.MULTILINE | re.DOTALL)
STAMP = re.compile(r"^[\d.]+ ", re.MULTILINE)
# a step of a target that begins, a step that ends, and a line that one writes
BEGUN = re.compile(r"^#(\d+) \[(?!internal\b)([^\]\n]+)\] ", re.MULTILINE)
ENDED = re.compile(r"^#(\d+) (?:DONE|CACHED|ERROR)\b", re.MULTILINE)
WRITTEN = r"^#{} [\d.]+ (.+)$"
LAST_LINES = 3
# lines that name what failed, of Go's tests and of Node.js's: the last ones only count
TELLING = re.compile(
    r"^(?:#\d+ )?(?:[\d.]+ )?[ \t]*((?:--- FAIL: |\S+_test\.go:\d+: |not ok \d).*)", re.MULTILINE
)
GROUP = re.compile(r'^group "test"', re.MULTILINE)


@dataclass(frozen=True)
class Plan:
    """The tests to run: the bake targets by image, and the variables of the bake file.

    `untested` are services that the bake file has no tests for, `elsewhere` those of which
    another platform is tested. With `skipped` nothing is run. The results say all three.
    """

    targets: Mapping[str, str]
    variables: Mapping[str, str]
    untested: tuple[str, ...] = ()
    skipped: bool = False
    elsewhere: tuple[str, ...] = ()


NONE = Plan({}, {})


def skips(environment: Mapping[str, str]) -> bool:
    """Return whether TESTS=skip is set. Raises SutraError for another value."""
    setting = environment.get(KNOB, "")
    if setting not in ("", SKIP):
        raise SutraError(f'{KNOB}: unknown "{setting}"', f"{SKIPPED}, or leave it out")
    return bool(setting)


def plan(
    client: engine.Client, promises: Catalog, environment: Mapping[str, str], skipped: bool = False
) -> Plan:
    """Return the tests of the catalogue's images; none where no bake file is there."""
    if not buildx.BAKE_FILE.exists():
        return NONE
    variables = bake.variables(environment)
    bake_targets: Mapping[str, object] = {}
    if has_tests():
        planned = buildx.bake_plan(["test"], variables)
        bake_targets = planned["target"]
        if not skipped:
            variables |= bake.plan_variables(client, planned, builders.find(environment))
    # the first platform of an image: the tests run on this machine's own
    first = {image.key: image for image in reversed(promises.images)}
    own = [i for i in promises.images if first[i.key] is i]
    targets = {i.name: i.key + SUFFIX for i in own if i.key + SUFFIX in bake_targets}
    untested = tuple(i.name for i in own if i.budget.ready and i.name not in targets)
    others = (i for i in promises.images if first[i.key] is not i)
    elsewhere = tuple(i.name for i in others if i.budget.ready)
    return Plan(targets, variables, untested, skipped, elsewhere)


def has_tests() -> bool:
    """Return whether the bake file has a group of tests."""
    return bool(GROUP.search(buildx.BAKE_FILE.read_text("utf-8")))


@contextmanager
def running(todo: Plan) -> Iterator[Run]:
    """Start the tests; whatever ends the block ends them too."""
    run = Run(todo)
    try:
        yield run
    finally:
        run.stop()


class Run:
    """Tests under way."""

    def __init__(self, todo: Plan) -> None:
        self._todo, self._late = todo, ""
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop
        self._process: subprocess.Popen[bytes] | None = None
        self._end = time.monotonic() + LIMIT
        if todo.targets and not todo.skipped:
            self._process = self._start(list(todo.targets.values()))

    def results(self) -> list[CheckResult]:
        """Wait for the tests and return a result for each service."""
        return [
            *self._of_targets(),
            *(_not_run(image, "the bake file has no such target") for image in self._todo.untested),
            *(_not_run(image, ELSEWHERE) for image in self._todo.elsewhere),
        ]

    def _of_targets(self) -> list[CheckResult]:
        targets = self._todo.targets
        if self._todo.skipped:
            return [_not_run(image, SKIPPED) for image in targets]
        if self._process is None:
            return []
        if self._wait() == 0:
            return [_result(image, "") for image in targets]
        return [_result(image, self._problem_of(target)) for image, target in targets.items()]

    def stop(self) -> None:
        """End what still runs."""
        if self._process and self._process.poll() is None:
            end(self._process)
        self._log.close()

    def _start(self, targets: Sequence[str]) -> subprocess.Popen[bytes]:
        self._log.truncate(0)
        self._log.seek(0)
        return start([*targets, "--progress=plain"], self._todo.variables, self._log)

    def _wait(self) -> int | None:
        """Return the exit code, None where no end is in sight; `_late` then says why."""
        assert self._process is not None  # noqa: S101 - results() asks only for what was started
        silence = Silence(self._log)
        while True:
            with suppress(subprocess.TimeoutExpired):
                return self._process.wait(LOOK)
            if late := self._is_late(silence):
                self._late = self._late or late
                end(self._process)
                return None

    def _is_late(self, silence: Silence) -> str:
        """Return why the tests have to end, "" while they may go on."""
        seconds = silence.seconds()
        if time.monotonic() >= self._end:
            return f"not finished in {LIMIT:g} s"
        if seconds >= TELL and not self._late and silence.is_news():
            line = f"tests: no output in {TELL:g} s{step_under_way(self._text())}"
            print(f"{line}; ended after {QUIET:g} s", file=sys.stderr, flush=True)
        return f"no output in {QUIET:g} s" if seconds >= QUIET else ""

    def _problem_of(self, target: str) -> str:
        """Build one target alone; return "" where it passes, else its last lines."""
        if self._late:
            self._end = time.monotonic() + AGAIN
        self._process = self._start([target])
        code = self._wait()
        if code is None:
            return f"{self._late}{step_under_way(self._text())}"
        return last_lines(self._text()) if code else ""

    def _text(self) -> str:
        """Return what the tests wrote so far; the position where they write on is shared."""
        file = self._log.fileno()
        return os.pread(file, os.fstat(file).st_size, 0).decode(errors="replace")


class Silence:
    """How long a file has not grown."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._size, self._since, self._is_told = file, -1, 0.0, False

    def seconds(self) -> float:
        """Return for how long; the first call begins."""
        size, now = os.fstat(self._file.fileno()).st_size, time.monotonic()
        if size != self._size:
            self._size, self._since, self._is_told = size, now, False
        return now - self._since

    def is_news(self) -> bool:
        """Return whether this silence is asked for the first time."""
        is_told, self._is_told = self._is_told, True
        return not is_told


def start(
    words: Sequence[str], variables: Mapping[str, str], log: int | IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a build of bake targets that exports nothing, in a process group of its own.

    `words` are the targets and options; `log` takes the output. Raises OSError where it cannot
    be started.
    """
    command, environment = buildx.bake_command(words, ["*.output=type=cacheonly"])
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env={**environment, **variables},
        process_group=0,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its group; one that does not go in GRACE seconds is killed."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def last_lines(log: str) -> str:
    """Return the last lines of the step that failed as one line, of the whole log without one.

    Lines that name a failed test come first, wherever they are.
    """
    if telling := list(dict.fromkeys(TELLING.findall(log))):
        return _as_line(telling[:LAST_LINES])
    blocks = STEP.findall(log)
    return _as_line(STAMP.sub("", blocks[-1] if blocks else log).splitlines())


def step_under_way(log: str) -> str:
    """Return the step that began last and has no end, with its last lines; "" without one."""
    ended = set(ENDED.findall(log))
    steps = [(number, name) for number, name in BEGUN.findall(log) if number not in ended]
    if not steps:
        return ""
    number, name = steps[-1]
    lines = _as_line(re.findall(WRITTEN.format(number), log, re.MULTILINE))
    return f", step {name}{': ' if lines else ''}{lines}"


def _as_line(lines: Sequence[str]) -> str:
    words = [line.expandtabs(1).strip() for line in lines]
    return printable(" | ".join([line for line in words if line][-LAST_LINES:]))


def _result(image: str, problem: str) -> CheckResult:
    shown = f'tests failed "{problem}"' if problem else ""
    return replace(_of(image), ok=not problem, actual=int(bool(problem)), problem=shown)


def _not_run(image: str, why: str) -> CheckResult:
    return replace(_of(image), problem=f"not run: {why}")


def _of(image: str) -> CheckResult:
    file, key = str(buildx.BAKE_FILE), f"target.{platforms.image_of(image)}{SUFFIX}"
    return CheckResult(image, NAME, True, None, 0, unit="findings", file=file, key=key)
