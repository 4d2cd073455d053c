"""The errors that a person sees, and the exit codes that a pipeline sees."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

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
    except Exception:  # a bug of ours is no failed check
        traceback.print_exc()
        code = WRONG_CALL
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        print("tip: run the same command again, finished steps are cached", file=sys.stderr)
        code = WRONG_CALL
    sys.exit(code)
