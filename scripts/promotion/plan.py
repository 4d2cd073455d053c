"""What a promotion or a rollback would do: its entry, its moves, and what it lets go."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from rich.table import Table

from scripts.catalog.catalog import Catalog
from scripts.checks.gate import Verdict
from scripts.common import reference
from scripts.common.errors import SutraError
from scripts.common.labels import REVISION
from scripts.common.reference import parse
from scripts.engine import client as engine
from scripts.engine import images, tags
from scripts.engine.move import Move
from scripts.history import ledger
from scripts.history.ledger import Entry, Promoted
from scripts.promotion.planned import KEPT, Plan, kept_tag
from scripts.promotion.versions import LATEST


def now(entries: Sequence[Entry]) -> str:
    """Return the time for a next entry. Raises SutraError when the clock went backwards."""
    at = datetime.now(UTC).strftime(ledger.TIME)
    if entries and at < entries[-1].at:
        raise SutraError(
            f'clock: now "{at}", which is before the last promotion "{entries[-1].at}"',
            f"set the clock, or fix that time in {ledger.LEDGER}",
        )
    return at


def who() -> str:
    """Return "user@host", with the number of a user that has no name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may stand in no file
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def revisions(client: engine.Client, ids: Mapping[str, str]) -> dict[str, str]:
    """Return the commit that each image's label says it was built from, "" without a label."""
    return {
        name: images.labels(client, identity).get(REVISION, "") for name, identity in ids.items()
    }


def promoted_images(verdict: Verdict, built_from: Mapping[str, str]) -> dict[str, Promoted]:
    """Return what the ledger says of each image that was checked."""
    sizes = {(result.image, result.name): result.actual or 0 for result in verdict.results}
    return {
        name: Promoted(
            identity,
            "",
            built_from[name],
            sizes[name, "installed"],
            sizes[name, "download"],
        )
        for name, identity in verdict.ids.items()
    }


def make(
    client: engine.Client,
    promises: Catalog,
    entry: Entry,
    groups: Mapping[int, Mapping[str, str]],
    places: Mapping[str, str | None],
    zstd: Mapping[tuple[str, str], str] | None = None,
) -> Plan:
    """Return the plan of an entry.

    `groups` are the ids by name of each promotion that it names, `places` is where its tags were,
    `zstd` as in Plan.
    """
    held = {
        (name, kept_tag(identity)): identity
        for ids in groups.values()
        for name, identity in ids.items()
    }
    not_latest = {image.name for image in promises.images if image.not_promoted_because}
    identities = {
        (name, tag): identity
        for tag, number in entry.tags.items()
        for name, identity in groups[number].items()
        if tag != LATEST or name not in not_latest
    }
    identities = {**held, **identities}
    moves = tags.plan(
        client, {f"{name}:{tag}": identity for (name, tag), identity in identities.items()}
    )
    return Plan(entry, tuple(moves), identities, places, zstd=zstd or {})


def expired(client: engine.Client, entries: Sequence[Entry], keep: int) -> list[Move]:
    """Return the engine's tags that hold images which have left the last `keep` promotions.

    `after` is "" there: the tag goes away, and with its last tag the image.
    """
    kept = ledger.kept(entries, keep)
    past: dict[str, dict[str, str]] = {}
    for entry in entries:
        for name, identity in entry.ids.items():
            if identity not in kept.get(name, set()):
                past.setdefault(name, {})[kept_tag(identity)] = identity
    return [
        Move(f"{name}:{tag}", held[tag], "")
        for name, held in past.items()
        for tag in sorted(held.keys() & images.repository_tags(client, name))
    ]


def visible(moves: Sequence[Move]) -> list[Move]:
    """Return the moves but for those tags that only hold images for rollback."""
    return [move for move in moves if not parse(move.tag).tag.startswith(KEPT)]


def table(moves: Sequence[Move]) -> Table:
    """Return a row a tag: tag, from digest, to digest."""
    drawn = Table("tag", "from digest", "to digest")
    for move in moves:
        same = move.before == move.after
        after = "unchanged" if same else short(move.after) if move.after else "removed"
        drawn.add_row(move.tag, short(move.before), after)
    return drawn


def describe(move: Move) -> str:
    """Return one line: tag, from digest, to digest."""
    if move.before == move.after:
        return f"{move.tag}: {short(move.after)} (unchanged)"
    return f"{move.tag}: {short(move.before)} → {short(move.after)}"


def short(identity: str | None) -> str:
    """Return the twelve digits by which people know a digest, "(none)" without one."""
    return reference.short(identity) if identity else "(none)"
