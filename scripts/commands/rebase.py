"""`make rebase`: build the bases again, put the services on them, verify all, and promote."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping

from scripts.build import bake as build
from scripts.catalog import catalog
from scripts.catalog.catalog import Catalog
from scripts.common import arguments, git, platforms
from scripts.common.errors import CHECK_FAILED, OK
from scripts.engine import client as engine
from scripts.engine import tags
from scripts.engine.move import Move
from scripts.image import inventory
from scripts.promotion import older, promote, refusals
from scripts.promotion.options import Options
from scripts.rebase import kept_packages, own_files, rebase

BASES = "bases"
TIP = "tip: `make prod` builds the services on this base; the old tags are where they were"

KEPT = f"compiled with the {own_files.COMPILERS} of their commit; `make prod` takes the one here"
CONTAINS = f"only `make prod` builds it with what {own_files.COMPILERS} has"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    arguments.publication(parser)
    arguments.flag(parser, "built", "take the bases that are here and build none")


def main(options: argparse.Namespace) -> int:
    """Move every service to the newest base, or leave everything as it was."""
    chosen = Options.read(arguments.knobs(options))
    platforms.refuse_others(arguments.knobs(options), "rebase")
    refusals.refuse_unreadable_commit(chosen)
    client, promises = engine.connect(), catalog.load()
    if not chosen.allow_dirty and _changed_services(client, promises):
        return CHECK_FAILED
    before = {image.reference: tags.current(client, image.reference) for image in promises.images}
    earlier = {image.name: before[image.reference] for image in promises.images}
    if not arguments.is_set(options, "BUILT"):
        build.build(client, [BASES], no_cache=True)
    code = CHECK_FAILED
    try:
        code = _rebase(client, promises, chosen, earlier)
    finally:
        if code != OK:  # the bases that were built just now as well
            _back(client, before)
    return code


def _changed_services(client: engine.Client, promises: Catalog) -> bool:
    """Return whether a commit since a service's own changed more than bases; say which, before any
    build. Name also the services that keep what older compilers made.
    """
    commit = git.commit()
    revisions = older.services(client, promises)
    earlier, _ = older.split(revisions, commit, revisions)
    changes = older.changes(earlier, commit)
    for line in changes.own:
        print(line, file=sys.stderr)
    if changes.own:
        print(f"tip: {refusals.BUILD}", file=sys.stderr)
    else:
        compiled = {name: revisions[name] for name in changes.compiled_otherwise}
        _say_kept(client, promises, compiled, commit)
    return bool(changes.own)


def _say_kept(
    client: engine.Client, promises: Catalog, revisions: Mapping[str, str], commit: str
) -> None:
    """Name the packages of an earlier builders.lock whose code services contain."""
    without = []
    for name, revision in revisions.items():
        image = inventory.read(client, promises.find(name).reference)
        if image and (kept := kept_packages.of_service(image, revision, commit)):
            rebase.say(f"{name}: keeps {', '.join(kept)}: {CONTAINS}")
        else:
            without.append(name)
    if without:
        rebase.say(f"{', '.join(without)}: {KEPT}")


def _rebase(
    client: engine.Client,
    promises: Catalog,
    chosen: Options,
    earlier: Mapping[str, str | None],
) -> int:
    services, started = rebase.services_to_move(client, promises, earlier), time.monotonic()
    if not services:
        rebase.say("every service is on the base that is here")
        return OK
    with rebase.rebased(client, services) as outcome:
        for line in outcome.breaks:
            print(line, file=sys.stderr)
        if outcome.breaks:
            print(TIP, file=sys.stderr)
            return CHECK_FAILED
        identities = {
            promises.find(name).reference: identity for name, identity in outcome.ids.items()
        }
        tags.apply(client, tags.plan(client, identities))
    rebase.say(f"{', '.join(outcome.ids)} in {time.monotonic() - started:.0f} s; verifying all")
    return promote.verify_and_promote(client, chosen, identities)


def _back(client: engine.Client, before: Mapping[str, str | None]) -> None:
    """Put every tag back; one that was not there goes."""
    moves = [
        Move(tag, identity, now)
        for tag, identity in before.items()
        if (now := tags.current(client, tag))
    ]
    tags.revert(client, moves)
