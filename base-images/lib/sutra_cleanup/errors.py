"""Errors of the cleanup: one clear line, and a tip that names what to do."""

from __future__ import annotations


class CleanupError(Exception):
    """The manifest or the call is wrong (exit 2), or the cleaned tree is broken (exit 1)."""

    def __init__(self, message: str, tip: str = "", exit_code: int = 2) -> None:
        super().__init__(message)
        self.message, self.tip, self.exit_code = message, tip, exit_code
