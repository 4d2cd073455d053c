"""Check everything that images.yaml promises: sizes, contents, runtime."""

from __future__ import annotations

import argparse
import os
import sys

from scripts.catalog import budget_history, catalog
from scripts.checks import gate, package_tests
from scripts.commands import verify_contents, verify_sizes
from scripts.common import arguments
from scripts.common.errors import CHECK_FAILED, OK
from scripts.engine import client as engine
from scripts.report import show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    arguments.value(parser, "format", "how to print", show.FORMATS)
    arguments.value(parser, "tests", "skip: leave out the packages' own tests", ("skip",))
    arguments.allow_uncompared(parser)


def main(options: argparse.Namespace) -> int:
    """Check everything and print the tables."""
    form = arguments.output_format(options, show.FORMATS)
    skipped = package_tests.skips(arguments.knobs(options))
    promises = catalog.load_platforms()
    budget_history.refuse_raises(promises, arguments.is_set(options, "ALLOW_UNCOMPARED"))
    client = engine.connect()
    tests = package_tests.plan(client, promises, os.environ, skipped)
    verdict = gate.everything(client, promises, tests=tests)
    results = list(verdict.results)
    compared = ""
    if form == "github":
        results, compared = verify_sizes.for_pull_request(
            promises, results, arguments.knobs(options)
        )
    show.show(results, form, compared=compared)
    for image in promises.images:
        own = (result for result in results if result.image == image.name and not result.ok)
        if any(result.name.startswith("contents.") for result in own):
            print(verify_contents.tip(image.name, image.reference), file=sys.stderr)
            break
    return OK if all(result.ok for result in results) else CHECK_FAILED
