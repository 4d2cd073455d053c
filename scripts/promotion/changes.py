"""A change of tags: decided, carried out, and shown."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from scripts.catalog.catalog import Catalog
from scripts.checks.gate import Verdict
from scripts.common import terminal
from scripts.common.errors import CHECK_FAILED, OK, EngineError
from scripts.engine import client as engine
from scripts.engine import images
from scripts.engine.move import Move
from scripts.history import ledger
from scripts.history.ledger import Entry
from scripts.oci.registry_artifacts import ArtifactRegistry
from scripts.oci.registry_tags import Registry
from scripts.promotion import plan as plans
from scripts.promotion import platform_index, refusals, transaction, vex
from scripts.promotion.options import Options
from scripts.promotion.planned import Plan, refuse_moved_version
from scripts.promotion.signatures import Signing
from scripts.promotion.vex import Derived
from scripts.report import show


@dataclass(frozen=True)
class Change:
    """What is asked for, and what was found about it.

    `groups` are the engine's ids by name of each promotion that `entry.tags` names;
    `places` is where the tags were when that was decided; `problems` are reasons besides the
    verdicts not to move anything, a line each; `vex` are the statements that hold, or why one
    does not.
    """

    entry: Entry
    groups: Mapping[int, Mapping[str, str]]
    verdicts: Sequence[Verdict]
    places: Mapping[str, str | None]
    problems: Sequence[str] = ()
    zstd: Mapping[tuple[str, str], str] = field(default_factory=dict)  # as in a transaction's Plan
    vex: Derived = field(default_factory=Derived)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return why nothing may move, besides the verdicts."""
        return (*self.problems, *self.vex.problems)

    @property
    def tip(self) -> str:
        """Return what helps against the first of the reasons."""
        return refusals.tip(self.problems) if self.problems else self.vex.tip

    @property
    def passed(self) -> bool:
        """Return whether it may move."""
        return not self.reasons and all(verdict.ok for verdict in self.verdicts)


@dataclass(frozen=True)
class Decision:
    """What a change does: its moves, whether they are made, and what a dry run shows besides."""

    plan: Plan
    moves: bool
    only_shown: Sequence[Move] = ()


def move(
    client: engine.Client,
    promises: Catalog,
    entries: Sequence[Entry],
    change: Change,
    options: Options,
    target: Registry | None,
    signing: Signing | None = None,
) -> int:
    """Move what the change says, if all passed and it is no dry run; end with the tables."""
    decision = decide(client, promises, entries, change, options, target)
    if decision.moves:
        plan = replace(decision.plan, vex=change.vex.documents)
        if signing:
            store = ArtifactRegistry(client, options.registry)
            plan = replace(plan, sign=signing.to(client, store, plan.vex))
        transaction.carry_out(client, plan, target)
        release_expired_tags(client, [*entries, change.entry], options.keep)
    elif change.passed and not options.dry_run and change.entry.verb == "promote":
        vex.keep(entries[-1].of, change.vex.documents)  # the same images, perhaps other requests
    print_outcome(decision, change, options.dry_run)
    return OK if change.passed else CHECK_FAILED


def decide(
    client: engine.Client,
    promises: Catalog,
    entries: Sequence[Entry],
    change: Change,
    options: Options,
    target: Registry | None,
) -> Decision:
    """Return what is to be done. Raises SutraError for a version that is set to other images."""
    plan = plans.make(client, promises, change.entry, change.groups, change.places, change.zstd)
    refuse_moved_version(plan.moves, change.entry.version)
    if options.dry_run:
        shown = _remote(client, target, plan) if target else []
        shown += plans.expired(client, [*entries, change.entry], options.keep)
        return Decision(plan, False, shown)
    standing = all(move.before == move.after for move in plan.moves)
    needed = target is not None or not standing or not recorded(entries, change)
    return Decision(plan, change.passed and needed)


def print_outcome(decision: Decision, change: Change, dry_run: bool) -> None:
    """Print the tables on stdout, and on stderr what became of each tag and why."""
    shown = plans.visible(decision.plan.moves)
    if not dry_run:
        verb = {"promote": "promoted", "rollback": "rolled back"}[change.entry.verb]
        for moved in shown:
            done = verb if change.passed else "not moved"
            print(f"{done} {plans.describe(moved)}", file=sys.stderr, flush=True)
    for verdict in change.verdicts:
        show.show(verdict.results)
    if dry_run:
        terminal.console().print(plans.table([*shown, *decision.only_shown]))
    for problem in change.reasons:
        print(problem, file=sys.stderr)
    if change.reasons:
        print(f"tip: {change.tip}", file=sys.stderr)


def recorded(entries: Sequence[Entry], change: Change) -> bool:
    """Return whether the ledger says already that these images are current, under these tags."""
    state = ledger.state(entries)
    return (
        bool(entries)
        and entries[-1].ids == change.entry.ids
        and all(
            tag in state and entries[state[tag] - 1].ids == change.groups[number]
            for tag, number in change.entry.tags.items()
        )
    )


def _remote(client: engine.Client, target: Registry, plan: Plan) -> list[Move]:
    """Return what would move in the registry, by the engine's own digests.

    Raises SutraError when a version is on something else there. An image of which the
    engine knows no digest yet may be the same one: that only the push can tell.
    """
    moves = []
    for reference, group in platform_index.groups(target, plan).items():
        identity = next(iter(group.values()))[1]
        before = target.digest(reference)
        # the digest of an index is known when its manifests are pushed
        digests = (
            set[str]()
            if platform_index.is_index(reference, group)
            else images.digests_anywhere(client, identity)
        )
        move = Move(reference, before, before if before and before in digests else identity)
        if digests:
            refuse_moved_version([move], plan.entry.version)
        moves.append(move)
    return plans.visible(moves)


def release_expired_tags(client: engine.Client, entries: Sequence[Entry], keep: int) -> None:
    """Take the holding tags from images that have left the last `keep` promotions."""
    for move in plans.expired(client, entries, keep):
        try:
            images.untag(client, move.tag)
            print(f"no longer kept {move.tag}", file=sys.stderr)
        except EngineError as error:  # a container still runs on it
            print(f"still kept {move.tag}: {error.message}", file=sys.stderr)
