"""Move `:latest`, and a version's tags, to the images that passed every check in this call."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from scripts.catalog import budget_history, catalog
from scripts.catalog.catalog import Catalog
from scripts.checks import gate, package_tests
from scripts.checks.gate import Verdict
from scripts.checks.package_tests import Plan
from scripts.checks.sizes import zstd
from scripts.common import git, settings
from scripts.engine import client as engine
from scripts.engine import images
from scripts.history import ledger
from scripts.history.ledger import Entry
from scripts.oci.registry_tags import Registry
from scripts.promotion import (
    changes,
    moved_tags,
    older,
    refusals,
    signatures,
    transaction,
    versions,
    vex,
)
from scripts.promotion import plan as plans
from scripts.promotion.changes import Change
from scripts.promotion.options import Options

# end of an entry's verdict where the packages' tests were left out
SKIPPED = f", {package_tests.SKIPPED}"


def verify_and_promote(
    client: engine.Client, options: Options, built: Mapping[str, str] | None = None
) -> int:
    """Verify all images, promote them when every gate let them pass, and end with the table.

    `built` are the ids that this run has built, by tag: another run may move the tags.
    """
    refusals.refuse_unreadable_commit(options)
    signatures.require_registry(options.sign_key, options.registry)
    promises = catalog.load_platforms()
    targets = [image.key for image in promises.images]
    signing = signatures.prepared(targets, options.sign_key, options.version, options.log)
    budget_history.refuse_raises(promises, options.allow_uncompared)
    target = Registry(client, options.registry) if options.registry else None
    with transaction.begun(client, options.dry_run):
        entries = ledger.read()
        at = plans.now(entries)
        names = [image.name for image in promises.images]
        tags = tags_to_set(client, names, target, entries, options.version)
        places = moved_tags.read(client, target, names, tags)
        tests = package_tests.plan(client, promises, os.environ, options.skip_tests)
        packs = options.compression == settings.ZSTD
        verdict = _verify(client, promises, tests, packs)
        if signing:
            signatures.refuse_other_commit(client, verdict.ids, options.allow_dirty)
        built_from = plans.revisions(client, verdict.ids)
        ends = ", signed" if signing else ""
        ends += SKIPPED if tests.skipped else ""
        entry = _entry(options, entries, at, verdict, tags, built_from, ends)
        refusals.refuse_other_images(entries, entry)
        refusals.refuse_other_spelling(client, entry)
        problems = refusals.moved_meanwhile(promises, verdict.ids, built or {})
        if not problems and not options.allow_dirty:
            rebased = older.rebased(client, verdict.ids)
            problems = refusals.unclean(built_from, entry.commit, rebased)
        packed = dict.fromkeys(verdict.ids.items(), "") if packs else {}
        derived = vex.derive(client, promises, verdict.ids)
        groups = {entry.number: verdict.ids}
        change = Change(entry, groups, [verdict], places, problems, packed, derived)
        return changes.move(client, promises, entries, change, options, target, signing)


def _verify(client: engine.Client, promises: Catalog, tests: Plan, packs: bool) -> Verdict:
    """Return the verdict of every gate, with the sizes packed by zstd where it `packs` so."""
    verdict = gate.everything(client, promises, tests=tests)
    if not packs:
        return verdict
    sizes = zstd.verify(client, promises, verdict.ids)
    return Verdict((*verdict.results, *sizes), verdict.ids)


def _entry(
    options: Options,
    entries: Sequence[Entry],
    at: str,
    verdict: Verdict,
    tags: Sequence[str],
    built_from: Mapping[str, str],
    ends: str,
) -> Entry:
    """Return the entry that the ledger gets; `ends` is what its verdict ends with."""
    number = len(entries) + 1
    return Entry(
        number=number,
        at=at,
        who=plans.who(),
        verb="promote",
        version=options.version,
        commit=git.labels(allow_unreadable=options.allow_dirty).get("REVISION", ""),
        registry=options.registry,
        verdict=f"{len(verdict.results)} checks passed{ends}",
        of=number,
        previous=entries[-1].of if entries else 0,
        tags=dict.fromkeys(tags, number),
        images=plans.promoted_images(verdict, built_from),
        compression=options.compression,
    )


def tags_to_set(
    client: engine.Client,
    names: Iterable[str],
    target: Registry | None,
    entries: Sequence[Entry],
    version: str,
) -> list[str]:
    """Return "latest", or what `version` sets of the images `names`, beside the versions known.

    Known are those of the ledger, and those of the engine's and the registry's tags:
    another machine may have promoted them.
    """
    if not version:
        return [versions.LATEST]
    others = {entry.version for entry in entries}
    for name in names:
        others |= images.repository_tags(client, name)
        others |= target.tags(name) if target else set()
    return versions.tags_of(versions.parse(version), versions.of_tags(others))
