"""A clock for tests of what waits: nothing sleeps, and time passes all the same."""

from __future__ import annotations

import pytest


class Clock:
    """A clock that only advances while something waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, now: float = 0.0) -> None:
        self.now = now
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        monkeypatch.setattr("time.sleep", self.pass_by)

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
