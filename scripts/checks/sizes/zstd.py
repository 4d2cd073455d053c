"""The third size, for COMPRESSION=zstd: what a pull transfers of the layers packed at level 19."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scripts.catalog.catalog import Catalog, Image, Release
from scripts.checks.sizes.budgets import over_budget
from scripts.common.check_result import RELEASE, CheckResult
from scripts.engine import client as engine
from scripts.image import zstd_layers
from scripts.image.zstd_layers import FOLDER, Packed
from scripts.oci import sources

NAME = "download.zstd"


def verify(
    client: engine.Client | None,
    promises: Catalog,
    references: Mapping[str, str],
    folder: Path = FOLDER,
) -> list[CheckResult]:
    """Return a check an image of `references` (name → reference), and each whole release's.

    Without a budget the size is only shown. Raises SutraError for an image that is not there.
    """
    results, by_image = [], dict[str, dict[str, Packed]]()
    images = [image for image in promises.images if image.name in references]
    for image in images:
        source = sources.find(client, references[image.name])
        if source is None:
            raise promises.not_built(image, references[image.name])
        layers = zstd_layers.packed(source, folder)
        by_image[image.name] = layers
        results.append(_check(promises, image, sum(layer.size for layer in layers.values())))
    for release in promises.releases:
        if all(image.name in by_image for image in release.images):
            layers = {
                key: layer
                for member in release.images
                for key, layer in by_image[member.name].items()
            }
            results.append(_check(promises, release, sum(layer.size for layer in layers.values())))
    return results


def _check(promises: Catalog, subject: Image | Release, actual: int) -> CheckResult:
    budget = subject.budget
    limit = budget.download_zstd
    problem = over_budget(actual, limit) if limit is not None and actual > limit else ""
    key = f"images.{subject.key}" if isinstance(subject, Image) else RELEASE
    return CheckResult(
        subject.name,
        NAME,
        not problem,
        actual,
        limit,
        problem,
        file=str(promises.path),
        key=f"{key}.{budget.key}.{NAME}",
    )
