"""The errors that a person sees, and the exit codes that a pipeline sees."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

# environment variable that shows the traceback of a bug
TRACEBACK = "SUTRA_TRACEBACK"
OK = 0
CHECK_FAILED = 1
WRONG_CALL = 2


class SutraError(Exception):
    """One clear line, and a tip that names the next command.

    `message` reads `file: key.path: problem "value"`, lower case, without a
    full stop. `tip` may be empty. The call or a file is wrong, or there is no
    engine: exit code 2.
    """

    def __init__(self, message: str, tip: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.tip = tip


def run(main: Callable[[], int]) -> NoReturn:
    """Call `main` and exit with its code; print a SutraError as message and tip.

    SIGTERM counts as an interrupt, so that what was begun is taken back.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = main()
    except SutraError as error:
        print(error.message, file=sys.stderr)
        if error.tip:
            print(f"tip: {error.tip}", file=sys.stderr)
        code = WRONG_CALL
    except Exception as error:  # a bug of ours: not a failed check, and not 30 lines either
        if os.environ.get(TRACEBACK):
            traceback.print_exc()
        print(unexpected(error), file=sys.stderr)
        print(f"tip: report it with what `{TRACEBACK}=1` shows before that line", file=sys.stderr)
        code = WRONG_CALL
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        print("tip: run the same command again, finished steps are cached", file=sys.stderr)
        code = WRONG_CALL
    sys.exit(code)


def unexpected(error: BaseException) -> str:
    """Return one line for an exception that no code of ours expected, with its place."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "?"
    said = (str(error).splitlines() or [""])[0]
    return f'{place}: unexpected error "{type(error).__name__}: {said}"'
