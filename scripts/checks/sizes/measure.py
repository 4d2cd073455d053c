"""Images measured wherever they stand, and checked, with what made them grow."""

from __future__ import annotations

from pathlib import Path

from scripts.catalog.catalog import Catalog, Image
from scripts.checks.sizes import growth
from scripts.checks.sizes.budgets import check, verify
from scripts.common.check_result import CheckResult
from scripts.common.errors import EngineError
from scripts.engine import client as engine
from scripts.image import read_layers
from scripts.image.size_cache import CACHE
from scripts.oci import sources
from scripts.oci.layer import Measured


def measure_all(
    client: engine.Client | None, promises: Catalog, cache: Path = CACHE
) -> dict[str, Measured]:
    """Return what was measured by image name. Raises SutraError for one that is not built."""
    sizes = read_layers.measure_several(
        client, [image.reference for image in promises.images], cache
    )
    return {
        image.name: _built(promises, image, image.reference, measured)
        for image, measured in zip(promises.images, sizes, strict=True)
    }


def measure_one(
    client: engine.Client | None,
    promises: Catalog,
    image: Image,
    reference: str,
    cache: Path = CACHE,
) -> Measured:
    """Return what was measured of `reference`. Raises SutraError when it is not built."""
    return _built(promises, image, reference, read_layers.measure(client, reference, cache))


def _built(promises: Catalog, image: Image, reference: str, measured: Measured | None) -> Measured:
    if measured is None:
        raise promises.not_built(image, reference)
    return measured


def verify_one(
    client: engine.Client | None,
    promises: Catalog,
    image: Image,
    reference: str,
    cache: Path = CACHE,
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


def connected(reference: str | None) -> engine.Client | None:
    """Return the engine's client; None where a file or a registry does without."""
    try:
        return engine.connect()
    except EngineError:
        if reference and sources.scheme(reference)[0] != "engine":
            return None
        raise
