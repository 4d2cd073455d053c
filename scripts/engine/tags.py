"""Move a group of tags to images, all or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scripts.engine import client as engine
from scripts.engine import images
from scripts.engine.move import Move


def plan(client: engine.Client, identities: Mapping[str, str]) -> list[Move]:
    """Return the moves that put each tag of `identities` on the engine's id beside it."""
    return [Move(tag, current(client, tag), identity) for tag, identity in identities.items()]


def current(client: engine.Client, tag: str) -> str | None:
    """Return the id of the image that the tag is on, None when there is no such tag."""
    image = images.inspect(client, tag)
    return str(image["Id"]) if image else None


def apply(client: engine.Client, moves: Sequence[Move]) -> None:
    """Make all moves. When one fails, those before it go back, and the error goes on.

    Tags go to ids, never to names: what was built or checked is what gets the tag.
    """
    done: list[Move] = []
    try:
        for move in moves:
            done.append(move)
            if move.before != move.after:
                images.tag(client, move.after, move.tag)
    except BaseException:
        revert(client, done)
        raise


def revert(client: engine.Client, moves: Sequence[Move]) -> None:
    """Put back those tags that are where `moves` put them; one that somebody else moved stays."""
    for move in reversed(moves):
        if move.before == move.after or current(client, move.tag) != move.after:
            continue
        if move.before:
            images.tag(client, move.before, move.tag)
        else:
            images.untag(client, move.tag)
