"""The question before something is removed."""

from __future__ import annotations

import sys
from collections.abc import Callable

from scripts.common.errors import SutraError


def confirm(who: str, question: str, yes: bool, read: Callable[[str], str] = input) -> None:
    """Ask whether to go on; `yes` is the answer where it was given already.

    Raises SutraError when there is nobody to ask or the answer is not yes.
    """
    if yes:
        return
    answer = typed(who, f"{question} [y/N] ", "add --yes; nothing was touched", read)
    if answer.strip().lower() not in ("y", "yes"):
        raise SutraError(f"{who}: not confirmed", "nothing was touched")


def typed(who: str, prompt: str, tip: str, read: Callable[[str], str] = input) -> str:
    """Return what a person types, "" at the end of input.

    Raises SutraError with `tip` when there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise SutraError(f"{who}: confirmation needed, but stdin is not a terminal", tip)
    try:
        return read(prompt)
    except EOFError:
        return ""
