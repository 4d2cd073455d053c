"""Standard output and error: writes to closed ones are dropped, full ones give one clear line."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any, TextIO

from scripts.common.errors import SutraError

TIP = "free space where it goes, or send it elsewhere"


class OutputError(SutraError):
    """The output could not be written. A reader that has left (`| head`) is not an error."""

    def __init__(self, name: str, error: OSError) -> None:
        if error.errno == errno.EPIPE:
            super().__init__("")
        else:
            super().__init__(f"{name} cannot be written: {error.strerror}", TIP)


class Output:
    """A text stream whose write errors have a type of their own."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream, self._name = stream, name

    def write(self, text: str) -> int:
        """Write `text`. Raises OutputError."""
        try:
            return self._stream.write(text)
        except OSError as error:
            raise self._closed(error) from error

    def flush(self) -> None:
        """Have everything written. Raises OutputError."""
        try:
            self._stream.flush()
        except OSError as error:
            raise self._closed(error) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _closed(self, error: OSError) -> OutputError:
        """Let what is left go nowhere: Python writes it once more when the process ends."""
        _to_nowhere(self._stream.fileno())
        return OutputError(self._name, error)


def guard() -> None:
    """Make stdout and stderr of this process raise OutputError, and be there at all.

    A descriptor that the caller closed would become that of the next file that is opened,
    and `print(…, file=sys.stderr)` without a stderr prints to stdout. A character that an
    encoding does not have, such as an arrow in ASCII's, is written as its escape.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            _to_nowhere(number)
    sys.stdin = sys.stdin or _stream(0, "r")
    sys.stdout = _guarded(sys.stdout or _stream(1, "w"), "standard output")
    sys.stderr = _guarded(sys.stderr or _stream(2, "w"), "standard error")


def _guarded(stream: Any, name: str) -> Any:
    if stream.errors == "strict":
        stream.reconfigure(errors="backslashreplace")
    return Output(stream, name)


def _stream(number: int, mode: str) -> Any:
    return open(number, mode, encoding="utf-8", closefd=False)


def _to_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)
