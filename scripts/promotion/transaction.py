"""Move a group's tags as one: all of them or none, in the engine and in a registry.

The order is what makes it so: intent on the disk → blobs to the registry → signatures, by digest
→ its tags, those of signatures first → the engine's tags → a line in the ledger → intent gone.
The ledger's line decides: with it the promotion happened; without it `settle`
puts back what was moved.
Every command that moves tags settles first, so a run may be killed anywhere.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from scripts.common.errors import DiskError, SutraError
from scripts.deploy import kustomize_images
from scripts.engine import client as engine
from scripts.engine import images, tags
from scripts.history import journal, ledger
from scripts.history.journal import Intent
from scripts.history.ledger import Entry
from scripts.oci.registry_tags import CannotDeleteError, Registry
from scripts.promotion import moved_tags, push, vex
from scripts.promotion.planned import Plan, kept_tag

MOVED = ", the tags have moved, only their line is missing"


@contextmanager
def exclusive(client: engine.Client) -> Iterator[None]:
    """Hold the lock, with whatever a killed run left settled."""
    with journal.locked():
        if outcome := settle(client):
            print(outcome, file=sys.stderr)
        yield


@contextmanager
def begun(client: engine.Client, dry_run: bool) -> Iterator[None]:
    """Hold the lock, with a killed run settled; a dry run only says that there is one."""
    if not dry_run:
        with exclusive(client):
            yield
        return
    journal.warn_pending()
    yield


def carry_out(client: engine.Client, plan: Plan, target: Registry | None) -> Entry:
    """Move everything and return the entry as it was written, or raise and leave all as it was.

    Raises MovedError for a tag that somebody else moves meanwhile; it stays there. When even
    the way back fails, the intent stays for the next command.
    """
    moved_tags.refuse_changed(plan.moves, plan.places)
    intent = Intent(plan.entry, plan.moves)
    if target:
        copies = {
            target.reference(name, kept_tag(identity)): identity
            for (name, _), identity in plan.identities.items()
        }
        intent = replace(intent, scratch=tuple(copies))
    journal.write(intent)
    try:
        vex.keep(plan.entry.number, plan.vex)
        if target:
            intent = push.push_all(client, target, intent, plan)
        _move_all(client, target, intent)
        moved_tags.require_local(client, intent)
        ledger.append(intent.entry)
    except BaseException as error:
        if not _finished_after(client, error):
            raise
    else:
        _end(client, intent)
    return intent.entry


def _move_all(
    client: engine.Client, target: Registry | None, intent: Intent, gone: Sequence[None] = ()
) -> None:
    """Move the registry's tags, then the engine's: each from where the intent found it.

    A push may take minutes, in which somebody else moves them. The registry is asked once more
    before the engine's first tag moves: one that has gone away leaves the engine as it was.
    `gone` is (None,) where a tag may also have gone away.
    """
    if target:
        for move in intent.remote:
            current = target.digest(move.tag)
            moved_tags.require(move.tag, current, [move.before, move.after, *gone])
            if current != move.after:
                target.move(move.tag, move.after)
        moved_tags.require_remote(target, intent)
    for move in intent.moves:
        current = tags.current(client, move.tag)
        moved_tags.require(move.tag, current, [move.before, move.after, *gone])
        if current != move.after:
            images.tag(client, move.after, move.tag)


def _finished_after(client: engine.Client, error: BaseException) -> bool:
    """Settle at once; return whether that could only be done forwards, to the end.

    Where it cannot be done at all, that is an error with the words of the first one, and a
    tip that says what will: it is not true any more that nothing was moved.
    """
    intent = journal.read()
    try:
        print(settle(client), file=sys.stderr)
    except SutraError as second:
        if isinstance(error, SutraError):
            problem = error.problem if isinstance(error, DiskError) else error.message
            raise SutraError(problem, f"{journal.UNFINISHED} ({second.message})") from error
        return False
    return isinstance(error, SutraError) and intent is not None and ledger.holds(intent.entry)


def settle(client: engine.Client) -> str:
    """Finish a run that did not end, or put everything back; return one line about it, or "".

    Raises SutraError when neither can be done now; the intent stays then.
    """
    intent = journal.read()
    if intent is None:
        journal.tidy()
        return ""
    ledger.repair(intent.entry)
    if ledger.holds(intent.entry):
        _end(client, intent)
        return f"{journal.named(intent.entry)} was complete"
    try:
        _back(client, intent)
    except (CannotDeleteError, images.NoSuchImageError):
        _forward(client, intent)
        return f"{journal.named(intent.entry)} could not be undone, so it was completed"
    _end(client, intent)
    return f"{journal.named(intent.entry)} was interrupted, everything is as it was before it"


def _back(client: engine.Client, intent: Intent) -> None:
    target = Registry(client, intent.entry.registry) if intent.remote else None
    for move in reversed(intent.remote):
        if target is None or move.before == move.after or target.digest(move.tag) != move.after:
            continue
        if move.before:
            target.move(move.tag, move.before)
        else:
            target.remove(move.tag)
    tags.revert(client, intent.moves)


def _forward(client: engine.Client, intent: Intent) -> None:
    """Make every move once more: what was verified and pushed before the first tag moved.

    Raises MovedError for a tag that somebody else has moved since: that is for a person.
    """
    target = Registry(client, intent.entry.registry) if intent.remote else None
    try:
        _move_all(client, target, intent, gone=(None,))
    except moved_tags.MovedError as error:
        raise moved_tags.MovedError(error.message, journal.BY_HAND) from error
    ledger.append(intent.entry, outcome=MOVED)
    _end(client, intent)


def _end(client: engine.Client, intent: Intent) -> None:
    if not ledger.holds(intent.entry):
        vex.forget(intent.entry.number)
    kustomize_images.write(ledger.read())
    for reference in intent.scratch:
        images.untag(client, reference)
    journal.clear()
