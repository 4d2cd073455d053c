"""Move the group's floating tags back to what was promoted before, verified again."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

from scripts.catalog import catalog
from scripts.catalog.catalog import Catalog
from scripts.checks import gate
from scripts.common import platforms, settings
from scripts.common.errors import SutraError
from scripts.engine import client as engine
from scripts.engine import images
from scripts.history import ledger
from scripts.history.ledger import Entry
from scripts.oci.registry_tags import Registry
from scripts.promotion import changes, moved_tags, plan, platform_index, transaction, versions
from scripts.promotion.changes import Change
from scripts.promotion.options import Options

HISTORY = "`make history` shows what was promoted"


def rollback(client: engine.Client, options: Options) -> int:
    """Verify what was promoted before, or `options.to`, and move the floating tags there."""
    with transaction.begun(client, options.dry_run):
        entries = ledger.read()
        goal, moved = choose(entries, options.to)
        numbers = {goal.number, *moved.values()}
        # the platforms that were promoted then and last, whatever PLATFORMS names now
        entry_numbers = [*sorted(numbers), len(entries)]
        names = [
            image_name for number in entry_numbers for image_name in entries[number - 1].images
        ]
        promises = catalog.load(architectures=platforms.architectures_of(names))
        groups = {number: shared(client, promises, entries[number - 1]) for number in numbers}
        address = options.registry or entries[-1].registry
        target = Registry(client, address) if address else None
        ids = groups[goal.number]
        places = moved_tags.read(client, target, ids, moved)
        verdicts = [gate.everything(client, promises, group) for group in groups.values()]
        entry = replace(
            goal,
            number=len(entries) + 1,
            at=plan.now(entries),
            who=plan.who(),
            verb="rollback",
            registry=address,
            verdict=f"{sum(len(verdict.results) for verdict in verdicts)} checks passed",
            of=goal.number,
            previous=entries[-1].of,
            tags=moved,
            images={image: goal.images[image] for image in ids},
        )
        print(f"rolling back to {name(goal)}", file=sys.stderr)
        for line in staying(promises, goal):
            print(line, file=sys.stderr)
        change = Change(entry, groups, verdicts, places, zstd=packed(entries, groups))
        return changes.move(client, promises, entries, change, options, target)


def packed(
    entries: Sequence[Entry], groups: Mapping[int, Mapping[str, str]]
) -> dict[tuple[str, str], str]:
    """Return what was promoted with layers packed by zstd, and under which digest."""
    return {
        (image, identity): _manifest(entries[number - 1], image)
        for number, ids in groups.items()
        if entries[number - 1].compression == settings.ZSTD
        for image, identity in ids.items()
    }


def _manifest(entry: Entry, image: str) -> str:
    """Return the digest of an image's own manifest; "" where the ledger has that of an index."""
    is_of_index = platform_index.is_needed(platforms.architectures_of(entry.images))
    return "" if is_of_index else entry.images[image].digest


def name(entry: Entry) -> str:
    """Return how a person knows a promotion: its version, or its number."""
    return entry.version or f"promotion {entry.number}"


def choose(entries: Sequence[Entry], to: str) -> tuple[Entry, dict[str, int]]:
    """Return the promotion to go back to, and for each tag to move the promotion it goes to.

    `to` is a version or a promotion's number; without it, it is the nearest earlier
    promotion of other images. Raises SutraError if no promotion fits, and when the current
    one only set new tags: what else is deployed was not its doing.
    """
    if to:
        goal = find(entries, to)
        if tags := moves(entries, goal, exactly=True):
            return goal, tags
        raise SutraError(f"rollback: everything is on {name(goal)} already", HISTORY)
    current = entries[entries[-1].of - 1] if entries else None
    number = current.previous if current else 0
    while current and number and entries[number - 1].ids == current.ids:
        number = entries[number - 1].previous
    if not current or not number:
        raise SutraError("rollback: nothing else was promoted before", HISTORY)
    goal = entries[number - 1]
    if tags := moves(entries, goal, exactly=False):
        return goal, tags
    raise SutraError(
        f"rollback: {name(current)} moved no tag that was on something else before",
        f"`make rollback TO=version` names where to go; {HISTORY}",
    )


def find(entries: Sequence[Entry], to: str) -> Entry:
    """Return the promotion that `to` names, by version or by number."""
    version = "" if to.isascii() and to.isdigit() else str(versions.parse(to, "TO"))
    for entry in reversed(entries):
        if entry.verb == "promote" and (
            entry.version == version if version else str(entry.number) == to
        ):
            return entry
    raise SutraError(f'TO: was never promoted "{to}"', HISTORY)


def moves(entries: Sequence[Entry], goal: Entry, exactly: bool) -> dict[str, int]:
    """Return the floating tags that were on other images after `goal` than they are on now.

    A tag that was not there then stays: it never was on anything else. `exactly` says
    that the goal was asked for by name, so that its own floating tags go to it even where
    a newer version had them at that time.
    """
    then, today = ledger.state(entries[: goal.number]), ledger.state(entries)
    if exactly:
        own = (
            versions.tags_of(versions.parse(goal.version), ())
            if goal.version
            else [versions.LATEST]
        )
        then |= {tag: goal.number for tag in own if tag in today}
    return {
        tag: number
        for tag, number in then.items()
        if not versions.is_version(tag) and entries[today[tag] - 1].ids != entries[number - 1].ids
    }


def shared(client: engine.Client, promises: Catalog, entry: Entry) -> dict[str, str]:
    """Return the ids of the promotion's images that the catalogue still has, by name.

    Raises SutraError when it has none of them, and when one of them is gone.
    """
    again = f"check out {entry.commit or 'its commit'} and run `make prod`; {HISTORY}"
    where = f"{ledger.LEDGER}: line {entry.number}"
    names = {image.name for image in promises.images}
    ids = {image: identity for image, identity in entry.ids.items() if image in names}
    if not ids:
        listed = ", ".join(entry.ids)
        raise SutraError(f'{where}: no image of {promises.path} "{listed}"', again)
    for image, identity in ids.items():
        if images.inspect(client, identity) is None:
            raise SutraError(f'{where}: image no longer exists "{image}@{identity}"', again)
    return ids


def staying(promises: Catalog, goal: Entry) -> list[str]:
    """Return a line for each image that a rollback leaves where it is, because only one has it."""
    names = [image.name for image in promises.images]
    added = [
        f"stays {image_name}: not in {name(goal)}"
        for image_name in names
        if image_name not in goal.ids
    ]
    removed = [
        f"stays {image_name}: not in {promises.path} any more"
        for image_name in goal.ids
        if image_name not in names
    ]
    return added + removed
