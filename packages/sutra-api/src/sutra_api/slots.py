"""A bound on work that costs more than one call of the storage."""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.exceptions import HTTPException


class Slots:
    """At most `number` at once; the next is answered 503 at once, not queued."""

    def __init__(self, number: int) -> None:
        """Start with all of them free."""
        self.free = number

    @contextmanager
    def one(self, what: str) -> Iterator[None]:
        """Hold a slot; raise HTTPException 503 when none is free."""
        if not self.free:
            raise HTTPException(503, f"too many {what} at once", {"Retry-After": "1"})
        self.free -= 1
        try:
            yield
        finally:
            self.free += 1
