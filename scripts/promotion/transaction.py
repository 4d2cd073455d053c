"""Move a group's tags as one: all of them or none, in the engine and in a registry.

The order is what makes it so: intent on the disk → blobs to the registry → signatures, by digest
→ its tags, those of signatures first → the engine's tags → a line in the ledger → intent gone.
The ledger's line decides: with it the promotion happened; without it `settle`
puts back what was moved.
Every command that moves tags settles first, so a run may be killed anywhere.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from scripts.common.errors import DiskError, SutraError
from scripts.common.reference import short
from scripts.deploy import kustomize_images
from scripts.engine import client as engine
from scripts.engine import images, registries, tags
from scripts.engine.move import Move
from scripts.history import journal, ledger
from scripts.history.journal import Intent
from scripts.history.ledger import Entry
from scripts.image import zstd_layers
from scripts.oci import sources
from scripts.oci.registry_tags import CannotDeleteError, Registry
from scripts.promotion import compression, moved_tags
from scripts.promotion.signatures import Sign

# a registry refuses what it does not have; a tag of the engine's keeps an image from `prune`
KEPT = "kept-"
MOVED = ", the tags have moved, only their line is missing"


@dataclass(frozen=True)
class Plan:
    """What moves: the entry as the ledger will have it, and the engine's moves.

    `wanted` says for each of the registry's tags (image, tag) which id it goes to, `seen`
    where each tag of engine and registry was when that was decided. `sign` stores signatures of
    what was pushed, and says where their tags go. `zstd` are the images whose layers the
    registry gets packed by zstd, by (image, id), each with the digest under which it has them
    already, or "".
    """

    entry: Entry
    moves: tuple[Move, ...]
    wanted: Mapping[tuple[str, str], str]
    seen: Mapping[str, str | None] = field(default_factory=dict)
    sign: Sign | None = None
    zstd: Mapping[tuple[str, str], str] = field(default_factory=dict)


def kept_tag(identity: str) -> str:
    """Return the tag under which an image stays for rollback: it names what it is on."""
    return KEPT + short(identity)


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
    journal.say_pending()
    yield


def carry_out(client: engine.Client, plan: Plan, target: Registry | None) -> Entry:
    """Move everything and return the entry as it was written, or raise and leave all as it was.

    Raises MovedError for a tag that somebody else moves meanwhile; it stays there. When even
    the way back fails, the intent stays for the next command.
    """
    moved_tags.refuse_changed(plan.moves, plan.seen)
    intent = Intent(plan.entry, plan.moves)
    if target:
        copies = {
            target.reference(name, kept_tag(identity)): identity
            for (name, _), identity in plan.wanted.items()
        }
        intent = replace(intent, scratch=tuple(copies))
    journal.write(intent)
    try:
        if target:
            intent = _push(client, target, intent, plan)
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
            found = target.digest(move.tag)
            moved_tags.require(move.tag, found, [move.before, move.after, *gone])
            if found != move.after:
                target.move(move.tag, move.after)
        moved_tags.require_remote(target, intent)
    for move in intent.moves:
        found = tags.current(client, move.tag)
        moved_tags.require(move.tag, found, [move.before, move.after, *gone])
        if found != move.after:
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
            said = error.problem if isinstance(error, DiskError) else error.message
            raise SutraError(said, f"{journal.UNFINISHED} ({second.message})") from error
        return False
    return isinstance(error, SutraError) and intent is not None and ledger.holds(intent.entry)


def _push(client: engine.Client, target: Registry, intent: Intent, plan: Plan) -> Intent:
    """Push every image under a tag that names it, bases first; return the intent with digests.

    Nothing that anyone deploys has moved by then.
    """
    digests: dict[tuple[str, str], str] = {}
    for (name, _), identity in plan.wanted.items():
        if (name, identity) not in digests:
            digests[name, identity] = _pushed(client, target, plan, name, identity)
    remote = [
        Move(reference, target.digest(reference), digests[name, identity])
        for (name, tag), identity in plan.wanted.items()
        for reference in (target.reference(name, tag),)
    ]
    refuse_moved_version(remote, intent.entry.version)
    moved_tags.refuse_changed(remote, plan.seen)
    # new tags come last: not every registry can remove them again
    remote.sort(key=lambda move: move.before is None)
    # and signatures first of all: no tag is on an image whose signature is not there
    remote = [*(plan.sign(digests) if plan.sign else ()), *remote]
    images = {
        name: replace(image, digest=digests[name, image.id])
        for name, image in intent.entry.images.items()
    }
    intent = replace(intent, remote=tuple(remote), entry=replace(intent.entry, images=images))
    journal.write(intent)
    return intent


def _pushed(client: engine.Client, target: Registry, plan: Plan, name: str, identity: str) -> str:
    """Push one image as the plan says; return the digest to which its tags go."""
    reference = target.reference(name, kept_tag(identity))
    earlier = plan.zstd.get((name, identity))
    if earlier and target.has(reference, earlier):
        return earlier
    digest = push_one(client, target, name, identity)
    if earlier is None:
        return digest
    source = sources.find(client, identity)
    if source is None:
        raise SutraError(f'engine: image no longer exists "{name}@{identity}"', "run `make build`")
    print(f"pushing {reference}{compression.KEPT_SUFFIX}", file=sys.stderr, flush=True)
    return compression.push(target, reference, digest, zstd_layers.packed(source))


def push_one(client: engine.Client, target: Registry, name: str, identity: str) -> str:
    """Push one image; return the registry's digest of it, which is the engine's own."""
    reference = target.reference(name, kept_tag(identity))
    images.tag(client, identity, reference)
    print(f"pushing {reference}", file=sys.stderr, flush=True)
    registries.push(client, reference)
    found = target.digest(reference)
    local = images.digests(client, reference)
    images.untag(client, reference)
    if found is None or found not in local:
        raise SutraError(
            f'registry: digest of "{reference}" is {found}, the engine has {", ".join(local)}',
            "retry, or ask the registry's administrators",
        )
    return found


def refuse_moved_version(moves: Sequence[Move], version: str) -> None:
    """Raise SutraError when a version's own tag is on something else already."""
    for move in moves:
        if move.tag.endswith(f":{version}") and move.before not in (None, move.after):
            raise SutraError(
                f'VERSION: "{move.tag}" is set already, to {move.before}, not {move.after}',
                "a version never moves: choose the next one",
            )


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
    except (CannotDeleteError, images.ImageVanishedError):
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
    kustomize_images.write(ledger.read())
    for reference in intent.scratch:
        images.untag(client, reference)
    journal.clear()
