"""Errors of the cleanup: one clear line, and a tip that names what to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fix:
    """The entry that a manifest needs so that it breaks nothing: its kind, and a glob for it.

    Kinds are "keep", "cached" and "docstrings", and without a place "strip", "dedupe" and
    "descriptions".
    """

    kind: str = ""
    place: str = ""

    def text(self) -> str:
        """Return the entry as a person writes it, "" where none is known."""
        texts = {
            "keep": f'rules: {{needed: {{why: …, keep: ["{self.place}"]}}}}',
            "cached": f'bytecode: {{cached: ["{self.place}"]}}',
            "docstrings": f'docstrings: {{keep: ["{self.place}"]}}',
            "strip": "strip: off",
            "dedupe": "dedupe: false",
            "descriptions": "descriptions: keep",
        }
        return texts.get(self.kind, "")


def printable(text: str) -> str:
    """Return `text` as one line that no terminal takes for anything else, by escapes."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


class CleanupError(Exception):
    """The manifest or the call is wrong (exit 2)."""

    exit_code = 2

    def __init__(self, message: str, tip: str = "") -> None:
        super().__init__(message)
        self.message, self.tip = printable(message), printable(tip)


class BrokenTreeError(CleanupError):
    """The cleaned tree is broken (exit 1).

    `problem` is the message without what it begins with, `fix` the entry that helps, if one does.
    """

    exit_code = 1

    def __init__(self, problem: str, tip: str, fix: Fix) -> None:
        super().__init__(f"cleanup: broke {problem}", tip)
        self.problem, self.fix = problem, fix
