"""One tag that is about to move, or that has moved."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Move:
    """One tag, the image that it is on (None: not there yet), and the one that it goes to."""

    tag: str
    before: str | None
    after: str
