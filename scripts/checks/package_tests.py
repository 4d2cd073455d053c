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
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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
GRACE = 10
KNOB, SKIP = "TESTS", "skip"
SKIPPED = f"{KNOB}={SKIP}"
ELSEWHERE = f"tests run on this machine's {platforms.name_of(platforms.OWN)} alone"
# the log's block about the step that failed, and a line of it without its time
STEP = re.compile(r"^------\n > .*?:\n(.*?)^------$", re.MULTILINE | re.DOTALL)
STAMP = re.compile(r"^[\d.]+ ", re.MULTILINE)
LAST_LINES = 3
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
    wanted = environment.get(KNOB, "")
    if wanted not in ("", SKIP):
        raise SutraError(f'{KNOB}: unknown "{wanted}"', f"{SKIPPED}, or leave it out")
    return bool(wanted)


def plan(
    client: engine.Client, promises: Catalog, environment: Mapping[str, str], skipped: bool = False
) -> Plan:
    """Return the tests of the catalogue's images; none where no bake file is there."""
    if not buildx.BAKE_FILE.exists():
        return NONE
    variables = bake.variables(environment)
    known: Mapping[str, object] = {}
    if GROUP.search(buildx.BAKE_FILE.read_text("utf-8")):
        planned = buildx.bake_plan(["test"], variables)
        known = planned["target"]
        if not skipped:
            variables |= bake.root_variable(client, planned, builders.find(environment))
    # the first platform of an image: the tests run on this machine's own
    first = {image.key: image for image in reversed(promises.images)}
    own = [i for i in promises.images if first[i.key] is i]
    targets = {i.name: i.key + SUFFIX for i in own if i.key + SUFFIX in known}
    untested = tuple(i.name for i in own if i.budget.ready and i.name not in targets)
    others = (i for i in promises.images if first[i.key] is not i)
    elsewhere = tuple(i.name for i in others if i.budget.ready)
    return Plan(targets, variables, untested, skipped, elsewhere)


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
        self._todo = todo
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
            _end(self._process)
        self._log.close()

    def _start(self, targets: Sequence[str]) -> subprocess.Popen[bytes]:
        self._log.truncate(0)
        self._log.seek(0)
        command, environment = buildx.bake_command(targets, ["*.output=type=cacheonly"])
        return subprocess.Popen(
            [*command, "--progress=plain"],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env={**environment, **self._todo.variables},
            process_group=0,
        )

    def _wait(self) -> int | None:
        """Return the exit code, None where the time is up."""
        assert self._process is not None  # noqa: S101 - results() asks only for what was started
        try:
            return self._process.wait(max(0.0, self._end - time.monotonic()))
        except subprocess.TimeoutExpired:
            _end(self._process)
            return None

    def _problem_of(self, target: str) -> str:
        """Build one target alone; return "" where it passes, else its last lines."""
        self._process = self._start([target])
        code = self._wait()
        if code == 0:
            return ""
        if code is None:
            return f"not finished in {LIMIT} s"
        self._log.seek(0)
        return last_lines(self._log.read().decode(errors="replace"))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its group; one that does not go in GRACE seconds is killed."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def last_lines(log: str) -> str:
    """Return the last lines of the step that failed as one line, of the whole log without one."""
    blocks = STEP.findall(log)
    lines = STAMP.sub("", blocks[-1] if blocks else log).splitlines()
    return printable(" | ".join([line.strip() for line in lines if line.strip()][-LAST_LINES:]))


def _result(image: str, problem: str) -> CheckResult:
    said = f'tests failed "{problem}"' if problem else ""
    return replace(_of(image), ok=not problem, actual=int(bool(problem)), problem=said)


def _not_run(image: str, why: str) -> CheckResult:
    return replace(_of(image), problem=f"not run: {why}")


def _of(image: str) -> CheckResult:
    file, key = str(buildx.BAKE_FILE), f"target.{platforms.image_of(image)}{SUFFIX}"
    return CheckResult(image, NAME, True, None, 0, unit="findings", file=file, key=key)
