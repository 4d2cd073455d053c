"""Check every image's installed and download size, and the release's, against images.yaml."""

from __future__ import annotations

import argparse

from scripts import catalog, journal, ratchet, report
from scripts.catalog import Catalog
from scripts.checks import CheckResult
from scripts.errors import CHECK_FAILED, OK, run
from scripts.sizes import unchanged


def checked_by_reading(promises: Catalog, given: argparse.Namespace) -> list[CheckResult]:
    """Return the checks that were asked for; what the cache has not is read for them."""
    # loads Docker's SDK and all readers: as long as the whole check of what is known
    from scripts.sizes import measure

    client = measure.connected(given.reference)
    if not given.reference:
        return measure.verify_all(client, promises)
    image = promises.find(given.name)
    return measure.verify_one(client, promises, image, given.reference, only=given.only or "")


def main() -> int:
    """Verify all images, or one reference by the rules of one entry; print the table."""
    parser = argparse.ArgumentParser(prog="python -m scripts.verify_sizes", description=__doc__)
    parser.add_argument("reference", nargs="?", help="any image; all of the catalogue without it")
    parser.add_argument("--as", dest="name", help="the catalogue entry whose budget holds")
    parser.add_argument("--only", choices=("installed", "download"), help="just one of the sizes")
    parser.add_argument("--format", choices=report.FORMATS, default=report.FORMATS[0])
    given = parser.parse_args()
    if bool(given.reference) != bool(given.name):
        parser.error("a reference and --as NAME go together")
    if given.only and not given.reference:
        parser.error("--only goes with a reference")
    journal.say_pending()
    promises = catalog.load()
    ratchet.refuse_raises(promises)
    known = None if given.reference else unchanged.verified(promises)
    results = checked_by_reading(promises, given) if known is None else known
    report.show(results, given.format)
    return OK if all(result.ok for result in results) else CHECK_FAILED


if __name__ == "__main__":
    run(main)
