"""`make prod`: build → verify → promote → one table. Each step has a make target of its own."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping

from scripts.build import bake as build
from scripts.catalog import catalog
from scripts.catalog.catalog import Catalog
from scripts.checks import tests_ahead
from scripts.checks.sizes import measure
from scripts.common import durations, git, platforms
from scripts.common.errors import CHECK_FAILED, OK
from scripts.engine import client as engine
from scripts.engine import images
from scripts.history import journal, ledger
from scripts.promotion import promote, refusals, signatures
from scripts.promotion.options import Options
from scripts.report import show
from scripts.services import half_there


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no arguments."""


def main(options: argparse.Namespace) -> int:
    """Build the production images, check them, and promote them when all passed."""
    return make(engine.connect())


def make(client: engine.Client, no_cache: bool = False) -> int:
    """Build, verify and promote; return the exit code. `no_cache` runs every step again."""
    options = Options.read(os.environ)  # a wrong one ends it before the build
    platforms.read(os.environ)
    refusals.refuse_unreadable_commit(options)
    signatures.require_registry(options.sign_key, options.registry)
    for line in half_there.refuse_half_there():
        print(line, file=sys.stderr)
    with tests_ahead.ahead(_is_first(client)) as tests:
        begun = None if no_cache or options.skip_tests else tests.begin
        with durations.step("build without cache" if no_cache else "build"):
            built = build.build(client, [build.GROUP], no_cache=no_cache, begun=begun)
        return _verify(client, options, built)


def _is_first(client: engine.Client) -> bool:
    """Return whether the engine has none of the images: nothing was built here before."""
    promises = catalog.load_platforms()
    return not any(images.inspect(client, image.reference) for image in promises.images)


def _verify(client: engine.Client, options: Options, built: Mapping[str, str]) -> int:
    """Verify and promote what was built, or show that it is promoted already."""
    promises = catalog.load_platforms()
    has_request = options.version or options.registry or options.dry_run
    if not has_request and (number := promoted_already(client, promises, options)):
        print(f"promoted already, by line {number} of {ledger.LEDGER}", file=sys.stderr)
        results = measure.verify_all(client, promises)
        show.show(results)
        return OK if all(result.ok for result in results) else CHECK_FAILED
    return promote.verify_and_promote(client, options, built)


def promoted_already(client: engine.Client, promises: Catalog, options: Options) -> int:
    """Return the ledger's line that promoted these very images, if no tag has to move; else 0.

    Then there is nothing to gate: they passed every promise of this same, clean commit.
    """
    entries = ledger.read()
    commit = git.labels(allow_unreadable=options.allow_dirty).get("REVISION", "")
    if journal.read() or not entries or refusals.unclean({}, commit):
        return 0
    tags = {
        tag: image.name
        for image in promises.images
        for tag in (image.reference, "" if image.not_promoted_because else f"{image.name}:latest")
        if tag
    }
    last = entries[-1]
    tested = not last.verdict.endswith(promote.SKIPPED) or options.skip_tests
    standing = (
        tested
        and last.commit == commit
        and all(
            (image := images.inspect(client, tag)) and image["Id"] == last.ids.get(name)
            for tag, name in tags.items()
        )
    )
    return last.number if standing else 0
