"""Consoles for tables: as wide as the terminal, or of a fixed width for a file or a pipe."""

from __future__ import annotations

import sys

from rich.console import Console


def console(width: int = 120) -> Console:
    """Return a console on stdout; `width` is in characters, for what is no terminal."""
    # without emoji: a name such as ":x:" is shown as it is
    return Console(width=None if sys.stdout.isatty() else width, emoji=False)
