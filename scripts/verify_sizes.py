"""Check every image's installed and download size, and the release's, against images.yaml."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from scripts import catalog, engine, journal, layers, report
from scripts.catalog import Budget, Catalog, Image
from scripts.checks import RELEASE, CheckResult
from scripts.errors import CHECK_FAILED, OK, SutraError, run
from scripts.layers import Measured
from scripts.units import format_size


def measure_all(
    client: engine.Client, promises: Catalog, cache: Path = layers.CACHE
) -> dict[str, Measured]:
    """Return what was measured by image name. Raises SutraError for one that is not built."""
    return {
        image.name: measure_one(client, promises, image, image.reference, cache)
        for image in promises.images
    }


def measure_one(
    client: engine.Client,
    promises: Catalog,
    image: Image,
    reference: str,
    cache: Path = layers.CACHE,
) -> Measured:
    """Return what was measured of `reference`. Raises SutraError when it is not built."""
    measured = layers.measure(client, reference, cache)
    if measured is None:
        raise SutraError(
            f'{promises.path}: images.{image.name}: not built "{reference}"', "run `make build`"
        )
    return measured


def verify(promises: Catalog, measured: Mapping[str, Measured]) -> list[CheckResult]:
    """Return two checks for each measured image, and two for the release when all were measured."""
    results = []
    for image in promises.images:
        if found := measured.get(image.name):
            results += check(
                image.name,
                found.installed,
                found.download,
                image.budget,
                f"images.{image.name}",
                promises,
            )
    if len(measured) == len(promises.images):
        once = layers.shared_once(measured.values())
        installed, download = (
            sum(layer.installed for layer in once),
            sum(layer.download for layer in once),
        )
        results += check(RELEASE, installed, download, promises.release, RELEASE, promises)
    return results


def check(
    name: str, installed: int, download: int, budget: Budget, key: str, promises: Catalog
) -> list[CheckResult]:
    """Return the checks of one image; a size equal to its budget is within it."""
    pairs = (("installed", installed, budget.installed), ("download", download, budget.download))
    return [
        CheckResult(
            name,
            what,
            actual <= limit,
            actual,
            limit,
            _detail(promises, f"{key}.budget.{what}", actual, limit),
        )
        for what, actual, limit in pairs
    ]


def _detail(promises: Catalog, key: str, actual: int, limit: int) -> str:
    if actual <= limit:
        return ""
    over = f'over budget "{format_size(actual)}", {format_size(limit)} allowed'
    return f"{promises.path}: {key}: {over} (+{actual - limit} bytes)"


def main() -> int:
    """Verify all images, or one reference by the rules of one entry; print the table."""
    parser = argparse.ArgumentParser(prog="python -m scripts.verify_sizes", description=__doc__)
    parser.add_argument("reference", nargs="?", help="any image; all of the catalogue without it")
    parser.add_argument("--as", dest="name", help="the catalogue entry whose budget holds")
    parser.add_argument("--format", choices=report.FORMATS, default=report.FORMATS[0])
    given = parser.parse_args()
    if bool(given.reference) != bool(given.name):
        parser.error("a reference and --as NAME go together")
    journal.say_pending()
    client, promises = engine.connect(), catalog.load()
    if given.reference:
        image = promises.find(given.name)
        measured = {image.name: measure_one(client, promises, image, given.reference)}
    else:
        measured = measure_all(client, promises)
    results = verify(promises, measured)
    report.show(results, given.format)
    return OK if all(result.ok for result in results) else CHECK_FAILED


if __name__ == "__main__":
    run(main)
