"""The errors that a person sees, and the exit codes that a pipeline sees."""

from __future__ import annotations

import errno
import os
import shlex
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from scripts.common.text import printable

# environment variable that shows the traceback of a bug
TRACEBACK = "SUTRA_TRACEBACK"
OK = 0
CHECK_FAILED = 1
WRONG_CALL = 2
# errors of a disk: read-only, full, over a quota, closed to this user
DISK = {errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM}


class SutraError(Exception):
    """One clear line, and a tip that names the next command.

    `message` reads `file: key.path: problem "value"`, lower case, without a
    full stop; what it quotes of a file may hold anything, and is made printable here.
    `tip` may be empty. The call or a file is wrong, or there is no engine: exit code 2.
    """

    def __init__(self, message: str, tip: str = "") -> None:
        super().__init__(message)
        self.message = printable(message)
        self.tip = printable(tip)


class ProblemsError(SutraError):
    """Several problems of one call, a printable line each: all are fixed before the next try."""

    def __init__(self, problems: Sequence[str], tip: str = "") -> None:
        super().__init__("; ".join(problems), tip)
        self.message = "\n".join(map(printable, problems))


class EngineError(SutraError):
    """The engine does not answer, refuses, or answers something else than was asked.

    `problem` is the message without what it begins with: "engine", or the file of a setting.
    """

    def __init__(self, problem: str, tip: str = "", where: str = "engine") -> None:
        super().__init__(f"{where}: {problem}", tip)
        self.problem = problem


class RegistryError(SutraError):
    """A registry does not answer, refuses, or keeps something else than it was given."""


class CatalogError(SutraError):
    """A file of promises, images.yaml, says what it may not say."""


class DiskError(SutraError):
    """A file of ours cannot be written. `outcome` ends the message: what that means."""

    def __init__(self, problem: str, tip: str = "", outcome: str = "") -> None:
        super().__init__(problem + outcome, tip)
        self.problem = problem


def refuse(problems: Sequence[str], tip: str) -> None:
    """Raise ProblemsError with a line for each problem, where there is any."""
    if problems:
        raise ProblemsError(problems, tip)


def run(main: Callable[[], int]) -> NoReturn:
    """Call `main` and exit with its code; print a SutraError as message and tip.

    SIGTERM counts as an interrupt, so that what was begun is taken back.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    code: int | str | None
    try:
        try:
            code = main()
        except SystemExit as end:  # argparse's
            code = end.code
        sys.stdout.flush()
    except SutraError as error:
        _tell(error.message, f"tip: {error.tip}" if error.tip else "")
        code = WRONG_CALL
    except Exception as error:  # a bug of ours: not a failed check, and not 30 lines either
        trace = traceback.format_exc().rstrip() if os.environ.get(TRACEBACK) else ""
        tip = f"report it with what `{TRACEBACK}=1` shows before that line"
        problem, tip = _of_disk(error) or (unexpected(error), tip)
        _tell(trace, problem, f"tip: {tip}")
        code = WRONG_CALL
    except KeyboardInterrupt:
        _tell("interrupted", "tip: run the same command again, finished steps are cached")
        code = WRONG_CALL
    sys.exit(code)


def _of_disk(error: Exception) -> tuple[str, str] | None:
    """Return message and tip of an error that is the disk's, not a bug of ours; else None."""
    if not isinstance(error, OSError) or error.errno not in DISK:
        return None
    if not error.filename or isinstance(error.filename, int):  # a descriptor
        return None
    place = os.fsdecode(error.filename)
    folder = shlex.quote(os.path.dirname(place) or ".")
    return (
        printable(f"{place}: {os.strerror(error.errno)}"),
        printable(f"`df -h {folder}` and `ls -ld {folder}` say more"),
    )


def _tell(*lines: str) -> None:
    """Print the last lines of a process. If stderr is closed, only the exit code reports it."""
    with suppress(SutraError, OSError):
        for line in filter(None, lines):
            print(line, file=sys.stderr)
        sys.stderr.flush()


def unexpected(error: BaseException) -> str:
    """Return one line for an exception that no code of ours expected, with its place."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "?"
    reason = (str(error).splitlines() or [""])[0]
    return printable(f'{place}: unexpected error "{type(error).__name__}: {reason}"')
