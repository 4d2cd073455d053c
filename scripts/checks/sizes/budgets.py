"""Figures held against the budgets of images.yaml."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image, Release
from scripts.common.check_result import RELEASE, CheckResult
from scripts.common.errors import SutraError
from scripts.common.units import format_change, format_size
from scripts.oci.layer import Measured, shared_once

# says why an image (None: the release) is larger than before, "installed" or "download"
Why = Callable[[Image | None, str], str]


def verify(
    promises: Catalog, measured: Mapping[str, Measured], why: Why = lambda image, what: ""
) -> list[CheckResult]:
    """Return two checks for each measured image, and two for each release that is measured whole.

    `why` is asked for the reason of each that fails.
    """
    results = []
    for image in promises.images:
        if sizes := measured.get(image.name):
            results += check(image, sizes.installed, sizes.download, promises, why)
    for release in promises.releases:
        if all(image.name in measured for image in release.images):
            once = shared_once(measured[image.name] for image in release.images)
            installed = sum(layer.installed for layer in once)
            download = sum(layer.download for layer in once)
            results += check(release, installed, download, promises, why)
    return results


def check(
    subject: Image | Release, installed: int, download: int, promises: Catalog, why: Why
) -> list[CheckResult]:
    """Return the checks of one image, or of a release; a size equal to its budget is within."""
    budget, image = subject.budget, subject if isinstance(subject, Image) else None
    key = f"images.{image.key}" if image else RELEASE
    pairs = (("installed", installed, budget.installed), ("download", download, budget.download))
    return [
        CheckResult(
            subject.name,
            what,
            actual <= limit,
            actual,
            limit,
            _reason(budget) if actual <= limit else _problem(image, what, actual, limit, why),
            file=str(promises.path),
            key=f"{key}.{budget.key}.{what}",
        )
        for what, actual, limit in pairs
    ]


def _reason(budget: Budget) -> str:
    """Return why a budget was raised, for a check that passes by it."""
    return f"because {budget.because}" if budget.because else ""


def _problem(image: Image | None, what: str, actual: int, limit: int, why: Why) -> str:
    try:
        reason = why(image, what)
    except SutraError as error:  # the check failed, whatever keeps us from saying why
        reason = f"what grew is unknown ({error.message})"
    line = over_budget(actual, limit)
    return f"{line}: {reason}" if reason else line


def over_budget(actual: int, limit: int) -> str:
    """Return by how much a size is over its budget."""
    return (
        f'over budget "{format_size(actual)}", '
        f"{format_size(limit)} allowed ({format_change(actual - limit)})"
    )
