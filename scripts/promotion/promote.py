"""Move `:latest`, and a version's tags, to the images that passed every check in this call."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from scripts.catalog import budget_history, catalog
from scripts.catalog.catalog import Catalog
from scripts.checks import gate, package_tests
from scripts.checks.gate import Verdict
from scripts.common import git, settings, terminal
from scripts.common.errors import CHECK_FAILED, OK, EngineError, SutraError
from scripts.engine import client as engine
from scripts.engine import images
from scripts.engine.move import Move
from scripts.history import ledger
from scripts.history.ledger import Entry
from scripts.oci import registry_tags
from scripts.oci.registry_artifacts import ArtifactRegistry
from scripts.oci.registry_tags import Registry
from scripts.promotion import moved_tags, signatures, transaction, versions
from scripts.promotion import plan as plans
from scripts.promotion.signatures import Signing
from scripts.report import show

KEEP = 5
# end of an entry's verdict where the packages' tests were left out
SKIPPED = f", {package_tests.SKIPPED}"
AGAIN = "run `make prod` again, with no other build beside it"
CLEAN = "commit, then run `make prod` again; ALLOW_DIRTY=1 promotes it as it is"


@dataclass(frozen=True)
class Options:
    """The knobs of everything that moves tags; `keep` is how many promotions stay."""

    version: str = ""
    registry: str = ""
    to: str = ""
    keep: int = KEEP
    allow_dirty: bool = False
    allow_uncompared: bool = False
    dry_run: bool = False
    skip_tests: bool = False
    sign_key: str = ""

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Options:
        """Return the knobs as the environment has them. Raises SutraError for a wrong one."""
        keep = environment.get("KEEP") or str(KEEP)
        if not (keep.isascii() and keep.isdigit() and int(keep[:9]) > 0):
            raise SutraError(f'KEEP: not a whole number of 1 or more "{keep}"', "such as KEEP=5")
        version, address = environment.get("VERSION", ""), environment.get("REGISTRY", "")
        return cls(
            str(versions.parse(version)) if version else "",
            registry_tags.check(address) if address else "",
            environment.get("TO", ""),
            int(keep[:9]),
            settings.flag(environment, "ALLOW_DIRTY"),
            settings.flag(environment, "ALLOW_UNCOMPARED"),
            settings.flag(environment, "DRY_RUN"),
            package_tests.skips(environment),
            environment.get("SIGN_KEY", ""),
        )._checked()

    def _checked(self) -> Options:
        """Raise SutraError where a version would be promoted untested."""
        if self.skip_tests and self.version:
            raise SutraError(
                f'VERSION: "{self.version}" needs the packages\' tests, and '
                f"{package_tests.SKIPPED} leaves them out",
                f"leave out {package_tests.SKIPPED}",
            )
        return self


@dataclass(frozen=True)
class Change:
    """What is asked for, and what was found about it.

    `groups` are the engine's ids by name of each promotion that `entry.tags` names;
    `seen` is where the tags were when that was decided; `problems` are reasons besides the
    verdicts not to move anything, a line each.
    """

    entry: Entry
    groups: Mapping[int, Mapping[str, str]]
    verdicts: Sequence[Verdict]
    seen: Mapping[str, str | None]
    problems: Sequence[str] = ()

    @property
    def passed(self) -> bool:
        """Return whether it may move."""
        return not self.problems and all(verdict.ok for verdict in self.verdicts)


def refuse_unreadable_commit(options: Options) -> None:
    """Raise SutraError where nothing would be promoted in the end, whatever the checks say."""
    problem = None if options.allow_dirty or options.dry_run else git.unreadable_commit()
    if problem:
        raise problem


def verify_and_promote(
    client: engine.Client, options: Options, built: Mapping[str, str] | None = None
) -> int:
    """Verify all images, promote them when every gate let them pass, and end with the table.

    `built` are the ids that this run has built, by tag: another run may move the tags.
    """
    refuse_unreadable_commit(options)
    signatures.require_registry(options.sign_key, options.registry)
    promises = catalog.load()
    signing = signatures.prepared(promises, options.sign_key, options.version)
    budget_history.refuse_raises(promises, options.allow_uncompared)
    target = Registry(client, options.registry) if options.registry else None
    with transaction.begun(client, options.dry_run):
        entries = ledger.read()
        at = plans.now(entries)
        tags = tags_to_set(client, promises, target, entries, options.version)
        seen = moved_tags.read(client, target, [image.name for image in promises.images], tags)
        tests = package_tests.plan(client, promises, os.environ, options.skip_tests)
        verdict = gate.everything(client, promises, tests=tests)
        if signing:
            signatures.refuse_other_commit(client, verdict.ids, options.allow_dirty)
        commit = git.labels(allow_unreadable=options.allow_dirty).get("REVISION", "")
        built_from = plans.revisions(client, verdict.ids)
        number = len(entries) + 1
        entry = Entry(
            number=number,
            at=at,
            who=plans.who(),
            verb="promote",
            version=options.version,
            commit=commit,
            registry=options.registry,
            verdict=f"{len(verdict.results)} checks passed"
            + (", signed" if signing else "")
            + (SKIPPED if tests.skipped else ""),
            of=number,
            previous=entries[-1].of if entries else 0,
            tags=dict.fromkeys(tags, number),
            images=plans.promoted_images(verdict, built_from),
        )
        refuse_other_images(entries, entry)
        refuse_other_spelling(client, entry)
        problems = moved_meanwhile(promises, verdict.ids, built or {})
        if not problems and not options.allow_dirty:
            problems = unclean(built_from, commit)
        change = Change(entry, {number: verdict.ids}, [verdict], seen, problems)
        return move(client, promises, entries, change, options, target, signing)


def tags_to_set(
    client: engine.Client,
    promises: Catalog,
    target: Registry | None,
    entries: Sequence[Entry],
    version: str,
) -> list[str]:
    """Return "latest", or what `version` sets beside the versions that are known.

    Known are those of the ledger, and those of the engine's and the registry's tags:
    another machine may have promoted them.
    """
    if not version:
        return [versions.LATEST]
    others = {entry.version for entry in entries}
    for image in promises.images:
        others |= images.repository_tags(client, image.name)
        others |= target.tags(image.name) if target else set()
    return versions.tags_of(versions.parse(version), versions.known(others))


def refuse_other_images(entries: Sequence[Entry], entry: Entry) -> None:
    """Raise SutraError when the entry's version was promoted with other images before."""
    for earlier in entries:
        if entry.version and earlier.version == entry.version and earlier.ids != entry.ids:
            raise SutraError(
                f'VERSION: "{entry.version}" is other images already '
                f"({ledger.LEDGER}: line {earlier.number})",
                "a version never moves: choose the next one",
            )


def refuse_other_spelling(client: engine.Client, entry: Entry) -> None:
    """Raise SutraError when the version is other images already under "v1.4.2"."""
    for name, identity in entry.ids.items() if entry.version else ():
        spelled = images.inspect(client, f"{name}:v{entry.version}")
        if spelled and spelled["Id"] != identity:
            raise SutraError(
                f'VERSION: "{name}:v{entry.version}" is set already, to {spelled["Id"]}, '
                f"not {identity}",
                "a version never moves: choose the next one",
            )


def moved_meanwhile(
    promises: Catalog, ids: Mapping[str, str], built: Mapping[str, str]
) -> list[str]:
    """Return a line for each image that is not the one this run has built."""
    return [
        f'{image.name}: another build moved "{image.reference}" while this one ran'
        for image in promises.images
        if built.get(image.reference, ids[image.name]) != ids[image.name]
    ]


def unclean(built_from: Mapping[str, str], commit: str) -> list[str]:
    """Return a line for each reason why the images are not those of a clean commit."""
    if not commit:
        problem = git.unreadable_commit()
        return [problem.message if problem else "git: no commit can be read"]
    if commit.endswith("-dirty"):
        return ["git: uncommitted changes, the images are verified but not promoted"]
    return [
        f'{name}: {plans.REVISION}: not the commit that is checked out "{revision}", '
        f'expected "{commit}"'
        for name, revision in built_from.items()
        if revision != commit
    ]


@dataclass(frozen=True)
class Decision:
    """What a change does: its moves, whether they are made, and what a dry run shows besides."""

    plan: transaction.Plan
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
        plan = decision.plan
        if signing:
            store = ArtifactRegistry(client, options.registry)
            plan = replace(plan, sign=signing.to(client, store))
        transaction.carry_out(client, plan, target)
        release_expired_tags(client, [*entries, change.entry], options.keep)
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
    plan = plans.make(client, promises, change.entry, change.groups, change.seen)
    transaction.refuse_moved_version(plan.moves, change.entry.version)
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
        for each in shown:
            done = verb if change.passed else "not moved"
            print(f"{done} {plans.describe(each)}", file=sys.stderr, flush=True)
    for verdict in change.verdicts:
        show.show(verdict.results)
    if dry_run:
        terminal.console().print(plans.table([*shown, *decision.only_shown]))
    for problem in change.problems:
        print(problem, file=sys.stderr)
    if change.problems:
        print(f"tip: {tip(change.problems)}", file=sys.stderr)


def tip(problems: Sequence[str]) -> str:
    """Return what helps: where the images are another build's, not to promote those."""
    if problems[0].startswith("git: uncommitted"):
        return CLEAN
    unreadable = git.unreadable_commit()
    return unreadable.tip if unreadable else AGAIN


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


def _remote(client: engine.Client, target: Registry, plan: transaction.Plan) -> list[Move]:
    """Return what would move in the registry, by the engine's own digests.

    Raises SutraError when a version is on something else there. An image of which the
    engine knows no digest yet may be the same one: that only the push can tell.
    """
    moves = []
    for key, identity in plan.wanted.items():
        reference, known = target.reference(*key), images.digests_anywhere(client, identity)
        before = target.digest(reference)
        move = Move(reference, before, before if before and before in known else identity)
        if known:
            transaction.refuse_moved_version([move], plan.entry.version)
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
