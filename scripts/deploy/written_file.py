"""Recognise an edit by hand in a file that we write whole: its first line has its digest."""

from __future__ import annotations

import hashlib
from pathlib import Path

from scripts.common.errors import SutraError

MARK = "# sha256:"


def marked(text: str) -> str:
    """Return what is to be written: the text below a line with its digest."""
    return f"{MARK}{_digest(text)}\n{text}"


def refuse_edited(file: Path, tip: str) -> None:
    """Raise SutraError, with this tip, for a file that is not as it was written."""
    try:
        mark, _, content = file.read_text(encoding="utf-8", errors="replace").partition("\n")
    except FileNotFoundError:
        return
    except OSError as error:
        raise SutraError(f"{file}: cannot be read: {error.strerror}", f"`ls -l {file}`") from error
    if mark != MARK + _digest(content):
        raise SutraError(f"{file}: edited by hand, nothing was deployed", tip)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
