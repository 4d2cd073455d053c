"""Figures held against the budgets of images.yaml."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.common.check_result import RELEASE, CheckResult
from scripts.common.errors import SutraError
from scripts.common.units import format_change, format_size
from scripts.oci.layer import Measured, shared_once

# says why an image (None: the release) is larger than before, "installed" or "download"
Why = Callable[[Image | None, str], str]


def verify(
    promises: Catalog, measured: Mapping[str, Measured], why: Why = lambda image, what: ""
) -> list[CheckResult]:
    """Return two checks for each measured image, and two for the release when all were measured.

    `why` is asked for the reason of each that fails.
    """
    results = []
    for image in promises.images:
        if sizes := measured.get(image.name):
            results += check(image, sizes.installed, sizes.download, promises, why)
    if len(measured) == len(promises.images):
        once = shared_once(measured.values())
        installed = sum(layer.installed for layer in once)
        download = sum(layer.download for layer in once)
        results += check(None, installed, download, promises, why)
    return results


def check(
    image: Image | None, installed: int, download: int, promises: Catalog, why: Why
) -> list[CheckResult]:
    """Return the checks of one image, or of the release; a size equal to its budget is within."""
    budget = image.budget if image else promises.release
    key = f"images.{image.name}" if image else RELEASE
    pairs = (("installed", installed, budget.installed), ("download", download, budget.download))
    return [
        CheckResult(
            image.name if image else RELEASE,
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
