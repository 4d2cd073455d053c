"""Move a group of tags to images, all or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scripts import engine


@dataclass(frozen=True)
class Move:
    """One tag, the image that it is on (None: not there yet), and the one that it goes to."""

    tag: str
    before: str | None
    after: str


def plan(client: engine.Client, wanted: Mapping[str, str]) -> list[Move]:
    """Return the moves that put each tag of `wanted` on the engine's id beside it."""
    moves = []
    for tag, identity in wanted.items():
        known = engine.inspect(client, tag)
        moves.append(Move(tag, known["Id"] if known else None, identity))
    return moves


def apply(client: engine.Client, moves: Sequence[Move]) -> None:
    """Make all moves. When one fails, those before it go back, and the error goes on.

    Tags go to ids, never to names: what was built or checked is what gets the tag.
    """
    done: list[Move] = []
    try:
        for move in moves:
            done.append(move)
            if move.before != move.after:
                engine.tag(client, move.after, move.tag)
    except BaseException:
        for move in done:
            if move.before:
                engine.tag(client, move.before, move.tag)
            else:
                engine.untag(client, move.tag)
        raise
