"""The packages' tests, begun while the images are still being built: a cold start for them alone.

A build that compiles leaves a processor idle at times, and the stages of the tests compile as
long as those of the images. Nobody asks how this run ends: the checks begin the tests anew, and
BuildKit gives them what is done already and joins them to a step that still runs.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Timer

from scripts.checks import package_tests

# seconds of a build before its tests begin; a build from the cache is over by then, and no test
# slows it down
AFTER = 15.0
# seconds of a machine's first build before its tests begin: its images leave no processor idle, and
# the program that is linked last, on one processor, is the sooner compiled the less runs beside it
AFTER_FIRST = 80.0
GROUP = "test"


class Ahead:
    """The tests of one build; nothing is under way before `begin`."""

    def __init__(self, is_first: bool) -> None:
        self._after = AFTER_FIRST if is_first else AFTER
        self._timer: Timer | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, variables: Mapping[str, str]) -> None:
        """Begin the tests in a while, with the variables of the bake file that is built."""
        if package_tests.has_tests():
            self._timer = Timer(self._after, self._start, [variables])
            self._timer.start()

    def _start(self, variables: Mapping[str, str]) -> None:
        # the run that counts reports what keeps a process from starting
        with suppress(OSError):
            self._process = package_tests.start([GROUP], variables, subprocess.DEVNULL)

    def stop(self) -> None:
        """End what still runs, and what has not begun."""
        if self._timer:
            self._timer.cancel()
            self._timer.join()
        if self._process and self._process.poll() is None:
            package_tests.end(self._process)


@contextmanager
def ahead(is_first: bool) -> Iterator[Ahead]:
    """Give tests that a build may begin, later where it is a machine's first.

    Whatever ends the block ends them too.
    """
    tests = Ahead(is_first)
    try:
        yield tests
    finally:
        tests.stop()
