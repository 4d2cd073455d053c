from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.engine.read_ahead import Ahead


@given(st.lists(st.binary(max_size=9)), st.integers(1, 30))
def test_chunks_come_in_their_order(chunks: list[bytes], waiting: int) -> None:
    with Ahead(iter(chunks), waiting) as received:
        assert list(received) == chunks


def test_chunks_are_received_before_they_are_asked_for_up_to_a_limit() -> None:
    sent: list[int] = []
    full = threading.Event()

    def chunks() -> Iterator[bytes]:
        for number in range(100):
            sent.append(number)
            if number == 3:
                full.set()
            yield b"12345"

    with Ahead(chunks(), 20) as received:
        assert full.wait(20)
        assert len(sent) == 4  # and then it waits
        assert next(received) == b"12345"
    assert len(sent) < 10


def test_what_the_sender_raises_comes_after_what_it_sent() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"1"
        raise OSError("cut")

    with Ahead(chunks()) as received:
        assert next(received) == b"1"
        with pytest.raises(OSError, match=r"^cut$"):
            next(received)


def test_no_thread_is_left_when_the_reader_gives_up() -> None:
    before = threading.active_count()
    with Ahead((b"1" for _ in range(10**9)), 10) as received:
        next(received)
    assert threading.active_count() == before
