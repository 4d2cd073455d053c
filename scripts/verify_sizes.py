"""Check every image's installed and download size, and the release's, against images.yaml."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from scripts import catalog, engine, growth, journal, layers, ratchet, report, sources
from scripts.catalog import Catalog, Image
from scripts.checks import RELEASE, CheckResult
from scripts.errors import CHECK_FAILED, OK, SutraError, run
from scripts.growth import Why
from scripts.layers import Measured
from scripts.units import format_change, format_size


def measure_all(
    client: engine.Client | None, promises: Catalog, cache: Path = layers.CACHE
) -> dict[str, Measured]:
    """Return what was measured by image name. Raises SutraError for one that is not built."""
    found = layers.measure_several(client, [each.reference for each in promises.images], cache)
    return {
        image.name: _built(promises, image, image.reference, measured)
        for image, measured in zip(promises.images, found, strict=True)
    }


def measure_one(
    client: engine.Client | None,
    promises: Catalog,
    image: Image,
    reference: str,
    cache: Path = layers.CACHE,
) -> Measured:
    """Return what was measured of `reference`. Raises SutraError when it is not built."""
    return _built(promises, image, reference, layers.measure(client, reference, cache))


def _built(promises: Catalog, image: Image, reference: str, measured: Measured | None) -> Measured:
    if measured is None:
        raise SutraError(
            f'{promises.path}: images.{image.name}: not built "{reference}"', "run `make build`"
        )
    return measured


def verify(
    promises: Catalog, measured: Mapping[str, Measured], why: Why = lambda image, what: ""
) -> list[CheckResult]:
    """Return two checks for each measured image, and two for the release when all were measured.

    `why` is asked for the reason of each that fails.
    """
    results = []
    for image in promises.images:
        if found := measured.get(image.name):
            results += check(image, found.installed, found.download, promises, why)
    if len(measured) == len(promises.images):
        once = layers.shared_once(measured.values())
        installed = sum(layer.installed for layer in once)
        download = sum(layer.download for layer in once)
        results += check(None, installed, download, promises, why)
    return results


def check(
    image: Image | None, installed: int, download: int, promises: Catalog, why: Why
) -> list[CheckResult]:
    """Return the checks of one image, or of the release; a size equal to its budget is within."""
    budget = image.budget if image else promises.release
    pairs = (("installed", installed, budget.installed), ("download", download, budget.download))
    return [
        CheckResult(
            image.name if image else RELEASE,
            what,
            actual <= limit,
            actual,
            limit,
            _reason(promises, image, what)
            if actual <= limit
            else _detail(promises, image, what, actual - limit, why),
        )
        for what, actual, limit in pairs
    ]


def _reason(promises: Catalog, image: Image | None, what: str) -> str:
    """Return why a budget was raised, for a check that passes by it."""
    budget = image.budget if image else promises.release
    key = f"images.{image.name}" if image else RELEASE
    because = budget.because
    return f"{promises.path}: {key}.{budget.key}.{what}: because {because}" if because else ""


def _detail(promises: Catalog, image: Image | None, what: str, over: int, why: Why) -> str:
    budget = image.budget if image else promises.release
    limit: int = getattr(budget, what)
    key = f"images.{image.name}" if image else RELEASE
    try:
        reason = why(image, what)
    except SutraError as error:  # the check failed, whatever keeps us from saying why
        reason = f"what grew is unknown ({error.message})"
    line = (
        f'{promises.path}: {key}.{budget.key}.{what}: over budget "{format_size(limit + over)}", '
        f"{format_size(limit)} allowed ({format_change(over)})"
    )
    return f"{line}: {reason}" if reason else line


def verify_one(
    client: engine.Client | None,
    promises: Catalog,
    image: Image,
    reference: str,
    cache: Path = layers.CACHE,
    only: str = "",
) -> list[CheckResult]:
    """Return the checks of any reference by the rules of `image`, or just the one named `only`.

    A download alone is what the manifest says, where it says so: then no layer is
    read. Raises SutraError when the reference is not there.
    """
    source = sources.find(client, reference) if only == "download" else None
    if source and source.announced is not None:
        results = check(image, 0, source.announced, promises, lambda image, what: "")
    else:
        measured = {image.name: measure_one(client, promises, image, reference, cache)}
        why = growth.since_promoted(client, promises, measured, cache)
        results = [
            result for result in verify(promises, measured, why) if result.image == image.name
        ]
    return [result for result in results if only in ("", result.name)]


def verify_all(client: engine.Client | None, promises: Catalog) -> list[CheckResult]:
    """Return the checks of all images under their own tags, with reasons for growth."""
    measured = measure_all(client, promises)
    return verify(promises, measured, growth.since_promoted(client, promises, measured))


def _client(reference: str | None) -> engine.Client | None:
    """Return the engine's client; None where a file or a registry does without."""
    try:
        return engine.connect()
    except SutraError:
        if reference and sources.scheme(reference)[0] != "engine":
            return None
        raise


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
    client, promises = _client(given.reference), catalog.load()
    ratchet.refuse_raises(promises)
    if given.reference:
        image = promises.find(given.name)
        results = verify_one(client, promises, image, given.reference, only=given.only or "")
    else:
        results = verify_all(client, promises)
    report.show(results, given.format)
    return OK if all(result.ok for result in results) else CHECK_FAILED


if __name__ == "__main__":
    run(main)
