"""Chunks that are received before they are asked for, while others are looked at."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from types import TracebackType

# bytes that may wait: what a slow reader keeps in memory
WAITING = 32 << 20


class Ahead:
    """Receives `chunks` in a thread of its own, as a context; yields them in their order.

    No more is received while WAITING bytes are not asked for yet, nor after the context.
    What the sender raises is raised where the chunk would have come.
    """

    def __init__(self, chunks: Iterator[bytes], waiting: int = WAITING) -> None:
        self._chunks, self._limit = chunks, waiting
        self._ready: deque[bytes] = deque()
        self._bytes = 0
        self._ended = self._stopped = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._receive, daemon=True)

    def __enter__(self) -> Iterator[bytes]:
        self._thread.start()
        return self._handed_out()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()

    def _receive(self) -> None:
        try:
            for chunk in self._chunks:
                with self._changed:
                    self._ready.append(chunk)
                    self._bytes += len(chunk)
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._stopped or self._bytes < self._limit)
                    if self._stopped:
                        break
        except BaseException as error:  # handed on to the reader
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _handed_out(self) -> Iterator[bytes]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ready or self._ended)
                if not self._ready:
                    break
                chunk = self._ready.popleft()
                self._bytes -= len(chunk)
                self._changed.notify_all()
            yield chunk
        if self._error:
            raise self._error
