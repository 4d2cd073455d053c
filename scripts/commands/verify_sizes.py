"""Check every image's installed and download size, and the release's, against images.yaml."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

from scripts.catalog import budget_history, catalog
from scripts.catalog.catalog import Catalog
from scripts.checks.sizes import fresh, unchanged
from scripts.common import arguments, settings
from scripts.common.check_result import CheckResult
from scripts.common.errors import CHECK_FAILED, OK
from scripts.history import journal
from scripts.history.size_records import BASE_REF
from scripts.report import show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    arguments.image_reference(parser, "budgets")
    parser.add_argument("--only", choices=("installed", "download"), help="just one of the sizes")
    arguments.value(parser, "format", "how to print", show.FORMATS)
    arguments.value(parser, "compression", "zstd: that download size too", ("gzip", "zstd"))
    arguments.allow_uncompared(parser)


def main(options: argparse.Namespace) -> int:
    """Verify all images, or one reference by the rules of one entry; print the table."""
    arguments.require_pair(options)
    if options.only and not options.reference:
        options.error("--only goes with a reference")
    form = arguments.output_format(options, show.FORMATS)
    compression = settings.compression(arguments.knobs(options))
    journal.warn_pending()
    promises = catalog.load_platforms()
    budget_history.refuse_raises(promises, arguments.is_set(options, "ALLOW_UNCOMPARED"))
    results_of_unchanged = None if options.reference else unchanged.verified(promises)
    results = (
        checked_by_reading(promises, options)
        if results_of_unchanged is None
        else results_of_unchanged
    )
    if compression == settings.ZSTD:
        results = [*results, *packed_by_zstd(promises, options)]
    results = [*results, *fresh.verify(promises, results)]
    compared = ""
    if form == "github" and not options.reference:
        results, compared = for_pull_request(promises, results, arguments.knobs(options))
    show.show(results, form, compared=compared)
    return OK if all(result.ok for result in results) else CHECK_FAILED


def for_pull_request(
    promises: Catalog, results: Sequence[CheckResult], environment: Mapping[str, str]
) -> tuple[list[CheckResult], str]:
    """Return results as they count for a pull request, and how its sizes changed; else as given.

    Why nothing was compared goes to stderr, too.
    """
    if not environment.get(BASE_REF):
        return list(results), ""
    # loads Docker's SDK and all readers, as below
    from scripts.checks.sizes import measure, pull_request
    from scripts.report import pull_request as report

    client = measure.connected(None)
    compared = pull_request.compare(client, promises, results, environment)
    if compared.uncompared:
        print(compared.uncompared, file=sys.stderr)
    return list(compared.results), report.markdown(compared)


def packed_by_zstd(promises: Catalog, options: argparse.Namespace) -> list[CheckResult]:
    """Return the third size of all images, or of the one that was asked for."""
    from scripts.checks.sizes import measure, zstd

    references = {image.name: image.reference for image in promises.images}
    if options.reference:
        references = {promises.find(options.name).name: options.reference}
    return zstd.verify(measure.connected(options.reference), promises, references)


def checked_by_reading(promises: Catalog, options: argparse.Namespace) -> list[CheckResult]:
    """Return the checks that were asked for; what the cache has not is read for them."""
    # loads Docker's SDK and all readers: as long as the whole check of what is known
    from scripts.checks.sizes import measure

    client = measure.connected(options.reference)
    if not options.reference:
        return measure.verify_all(client, promises)
    image = promises.find(options.name)
    return measure.verify_one(client, promises, image, options.reference, only=options.only or "")
