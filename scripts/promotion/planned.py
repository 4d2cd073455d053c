"""What a promotion will move, and the tags under which it keeps images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scripts.common.errors import SutraError
from scripts.common.reference import short
from scripts.engine.move import Move
from scripts.history.ledger import Entry
from scripts.promotion.signatures import Sign

# a registry refuses what it does not have; a tag of the engine's keeps an image from `prune`
KEPT = "kept-"


@dataclass(frozen=True)
class Plan:
    """What moves: the entry as the ledger will have it, and the engine's moves.

    `identities` says for each of the registry's tags (image, tag) which id it goes to, `places`
    where each tag of engine and registry was when that was decided. `sign` stores signatures of
    what was pushed, and says where their tags go. `zstd` are the images whose layers the
    registry gets packed by zstd, by (image, id), each with the digest under which it has them
    already, or "". `vex` are the OpenVEX documents of the images.
    """

    entry: Entry
    moves: tuple[Move, ...]
    identities: Mapping[tuple[str, str], str]
    places: Mapping[str, str | None] = field(default_factory=dict)
    sign: Sign | None = None
    zstd: Mapping[tuple[str, str], str] = field(default_factory=dict)
    vex: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def kept_tag(identity: str) -> str:
    """Return the tag under which an image stays for rollback: it names what it is on."""
    return KEPT + short(identity)


def refuse_moved_version(moves: Sequence[Move], version: str) -> None:
    """Raise SutraError when a version's own tag is on something else already."""
    for move in moves:
        if move.tag.endswith(f":{version}") and move.before not in (None, move.after):
            raise SutraError(
                f'VERSION: "{move.tag}" is set already, to {move.before}, not {move.after}',
                "a version never moves: choose the next one",
            )
