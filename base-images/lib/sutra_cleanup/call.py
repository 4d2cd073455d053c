"""Run a cleanup for the command line: one clear line for what is wrong, and its exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from .errors import CleanupError
from .tree import show


def run(work: Callable[[], str]) -> int:
    """Print what `work` returns, or what is wrong with the manifest, the call or the disk."""
    try:
        print(work())
    except CleanupError as error:
        print(error.message, file=sys.stderr)
        if error.tip:
            print(f"tip: {error.tip}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        shown = f' "{show(os.fsdecode(error.filename))}"' if error.filename else ""
        print(f"cleanup: {(error.strerror or str(error)).lower()}{shown}", file=sys.stderr)
        print("tip: fix that, then run it again", file=sys.stderr)
        return 2
    return 0
