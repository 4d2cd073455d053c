from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from scripts.engine import sandbox
from tests.support.clock import Clock

BOX: Any = SimpleNamespace(id="b0")
EXIT = 3


def runs_for(clock: Clock, seconds: float) -> Any:
    """Return an engine whose command ends with EXIT after `seconds`."""

    def state(identity: str) -> dict[str, Any]:
        return {"Running": clock.now < seconds, "ExitCode": EXIT}

    api = SimpleNamespace(
        exec_create=lambda box, command: {"Id": "e0"},
        exec_start=lambda identity, detach: None,
        exec_inspect=state,
    )
    return SimpleNamespace(api=api)


@pytest.mark.parametrize(
    ("runs", "patience", "code", "left_after"),
    [
        (0.0, 0, EXIT, 0),
        (1.9, 5, EXIT, 1.9),
        (60, 0, sandbox.TIMED_OUT, 2),
        (4.5, 5, sandbox.TIMED_OUT, 4.5),  # it has failed, but none is started beside it
        (60, 5, sandbox.TIMED_OUT, 7),
    ],
)
def test_a_command_that_takes_too_long_has_failed_and_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, runs: float, patience: float, code: int, left_after: float
) -> None:
    clock = Clock(monkeypatch)
    assert sandbox.execute(runs_for(clock, runs), BOX, ["ask"], 2, patience) == code
    assert clock.now == pytest.approx(left_after, abs=2 * sandbox.POLL_SECONDS)
