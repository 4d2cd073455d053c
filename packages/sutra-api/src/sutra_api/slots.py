"""Limit work that needs more memory or more storage calls than other requests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.exceptions import HTTPException


class Slots:
    """At most `number` at once; the next waits for `seconds`, and is answered 503 then."""

    def __init__(self, number: int, seconds: float = 0) -> None:
        """Start with all of them free."""
        self.seconds = seconds
        self._free = asyncio.Semaphore(number)

    @asynccontextmanager
    async def hold(self, what: str) -> AsyncIterator[None]:
        """Hold a slot; raise HTTPException 503 when none gets free in time."""
        if self._free.locked() and not self.seconds:
            raise _busy(what)
        try:
            async with asyncio.timeout(self.seconds or None):
                await self._free.acquire()
        except TimeoutError:
            raise _busy(what) from None
        try:
            yield
        finally:
            self._free.release()


def _busy(what: str) -> HTTPException:
    return HTTPException(503, f"too many {what} at once", {"Retry-After": "1"})
