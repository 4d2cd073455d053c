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
    if not sys.stdin.isatty():
        raise SutraError(
            f"{who}: confirmation needed, but stdin is not a terminal",
            "add --yes; nothing was touched",
        )
    try:
        answer = read(f"{question} [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise SutraError(f"{who}: not confirmed", "nothing was touched")
