from __future__ import annotations

import time

import pytest

from scripts.common.deadline import within


def test_an_answer_in_time() -> None:
    assert within(5, lambda: "here") == "here"
    assert within(5, lambda: None) is None


def test_an_error_is_raised_where_the_answer_is_waited_for() -> None:
    def fail() -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match=r"^wrong$"):
        within(5, fail)


def test_an_answer_that_does_not_come() -> None:
    started = time.monotonic()
    with pytest.raises(TimeoutError, match=r"^no whole answer in 0\.2 s$"):
        within(0.2, lambda: time.sleep(3))
    assert time.monotonic() - started < 2
