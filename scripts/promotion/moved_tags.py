"""Tags that somebody else moves while a promotion runs: they are noticed, and never overwritten.

Two machines may promote to one registry, and two checkouts on one engine; neither has a lock
for both. So each tag is read before the checks, before it moves, and once more before the
ledger gets its line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from scripts.common.errors import SutraError
from scripts.engine import client as engine
from scripts.engine import tags
from scripts.engine.move import Move
from scripts.history.journal import Intent
from scripts.oci.registry_tags import Registry

TIP = "look at what moved it, then run the same command again"


class MovedError(SutraError):
    """A tag is neither where it was nor where this run put it."""


def read(
    client: engine.Client, target: Registry | None, names: Iterable[str], floating: Iterable[str]
) -> dict[str, str | None]:
    """Return where the tags `floating` of the images `names` are now: by engine and by registry."""
    pairs = [(name, tag) for name in names for tag in floating]
    here = {f"{name}:{tag}": tags.current(client, f"{name}:{tag}") for name, tag in pairs}
    if target is None:
        return here
    references = [target.reference(name, tag) for name, tag in pairs]
    return here | {reference: target.digest(reference) for reference in references}


def refuse_changed(moves: Iterable[Move], seen_before: Mapping[str, str | None]) -> None:
    """Raise MovedError for a tag that is no longer where it was before the checks.

    What moves, and what is older than what, was decided by what was there then.
    """
    for move in moves:
        require(move.tag, move.before, [seen_before.get(move.tag, move.before), move.after])


def require(tag: str, place: str | None, expected: Iterable[str | None]) -> None:
    """Raise MovedError when a tag is on none of `expected`."""
    places = list(dict.fromkeys(expected))
    if place not in places:
        named = " or ".join(place or "(none)" for place in places)
        raise MovedError(
            f'promote: "{tag}" was moved by somebody else: on {place or "(none)"}, not on {named}',
            TIP,
        )


def require_remote(target: Registry, intent: Intent) -> None:
    """Raise MovedError unless every tag of the registry is where the intent put it."""
    for move in intent.remote:
        require(move.tag, target.digest(move.tag), [move.after])


def require_local(client: engine.Client, intent: Intent) -> None:
    """Raise MovedError unless every tag of the engine is where the intent put it."""
    for move in intent.moves:
        require(move.tag, tags.current(client, move.tag), [move.after])
