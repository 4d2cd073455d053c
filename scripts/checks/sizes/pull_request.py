"""Sizes of a pull request against those that its base branch recorded.

A size over its budget fails only where the author's part of the change is over it alone. Without
a record nothing is excused: every size over its budget fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from scripts.catalog.catalog import TAG, Catalog
from scripts.checks.sizes import blame, causes, recorded
from scripts.checks.sizes.blame import Growth
from scripts.checks.sizes.budgets import over_budget
from scripts.checks.sizes.growth import OWNERS
from scripts.checks.sizes.recorded import Sizes
from scripts.common import git, settings
from scripts.common.check_result import CheckResult
from scripts.common.errors import SutraError
from scripts.common.labels import BASE_NAME, REVISION
from scripts.common.reference import tagged
from scripts.common.units import format_change
from scripts.engine import client as engine
from scripts.history import size_records
from scripts.history.size_records import BASE_REF, Kept, UncomparedError
from scripts.image import inventory
from scripts.image.inventory import Inventory


@dataclass(frozen=True)
class Comparison:
    """Results as they count for a pull request, what changed, and why nothing was compared."""

    results: Sequence[CheckResult]
    since: str = ""
    changes: Sequence[Growth] = ()
    uncompared: str = ""


def compare(
    client: engine.Client | None,
    promises: Catalog,
    results: Sequence[CheckResult],
    environment: Mapping[str, str],
) -> Comparison:
    """Hold sizes against what the base branch recorded; a push has none.

    Raises UncomparedError where the base branch or its record cannot be read, unless
    ALLOW_UNCOMPARED says that the budgets alone will do.
    """
    branch = environment.get(BASE_REF, "")
    if not branch:
        return Comparison(results)
    try:
        kept = size_records.find(branch, settings.base(environment))
        before = _read(kept) if kept else None
    except UncomparedError as error:
        if not settings.flag(environment, "ALLOW_UNCOMPARED"):
            raise
        return Comparison(results, uncompared=error.message)
    if kept is None or before is None:
        where = f"{size_records.REMOTE}/{size_records.BRANCH}"
        none = f'sizes: {where} has no record of "{branch}" yet: every size over its budget fails'
        return Comparison(results, uncompared=none)
    changes = list(blame.changes(before, _sizes(_images(client, promises))))
    return Comparison(
        [judged(result, changes, kept.shown) for result in results],
        kept.shown,
        [change for change in changes if change.change],
    )


def compare_record(text: str, where: str, kept: Kept) -> Comparison:
    """Compare a record that anybody may have written with one of ours: no name is from it.

    Raises SutraError for what is not a record.
    """
    try:
        after = recorded.parse(text)
    except ValueError as error:
        raise SutraError(f"{where}: not a record of sizes: {error}", size_records.RECORD) from error
    changes = [change for change in blame.changes(_read(kept), after) if change.change]
    return Comparison((), kept.shown, changes)


def _read(kept: Kept) -> Sizes:
    try:
        return recorded.parse(kept.text)
    except ValueError as error:
        raise UncomparedError(
            f"{kept.where}: not a record of sizes: {error}",
            f"the next push to {kept.branch} records its sizes again",
        ) from error


def _images(client: engine.Client | None, promises: Catalog) -> dict[str, Inventory]:
    """Return all images under their own tags by name. Raises SutraError without one."""
    inventories: dict[str, Inventory] = {}
    for image in promises.images:
        read = inventory.read(client, image.reference)
        if read is None:
            raise promises.not_built(image, image.reference)
        inventories[image.name] = read
    return inventories


def _sizes(images: Mapping[str, Inventory]) -> Sizes:
    bases = (tagged(image.labels.get(BASE_NAME, "")) for image in images.values())
    return recorded.of(images, {base.name for base in bases if base})


def judged(result: CheckResult, changes: Sequence[Growth], since: str) -> CheckResult:
    """Return a result as it counts for the author; of a size over its budget, with its causes."""
    if result.ok or result.name not in (blame.INSTALLED, blame.DOWNLOAD):
        return result
    size = (result.image, result.name)
    change = next((growth for growth in changes if (growth.image, growth.size) == size), None)
    if change is None:  # the base branch does not have that image
        return result
    limit = result.limit or 0
    fails = change.is_the_authors(limit)
    whose = f"{format_change(change.authors)} by this change" if fails else "not by this change"
    grown = ", ".join(map(str, change.owners[:OWNERS]))
    problem = over_budget(result.actual or 0, limit)
    summary = f"{problem}: since {since} {format_change(change.change)}, {whose}"
    cause = causes.in_words(change.unpacked)
    more = "; ".join(part for part in (grown, f"by cause: {cause}" if cause else "") if part)
    return replace(result, ok=not fails, problem=f"{summary}: {more}" if more else summary)


def record(client: engine.Client | None, promises: Catalog) -> tuple[str, str]:
    """Return the commit that is checked out, and the record of its images.

    Raises SutraError for changes that no commit names, and for images of another commit.
    """
    commit = git.labels().get("REVISION", "")
    if not commit or commit.endswith("-dirty"):
        raise SutraError(
            "record-sizes: no clean commit names these images", "commit, build, then record"
        )
    return commit, recorded_text(client, promises, commit)


def recorded_text(client: engine.Client | None, promises: Catalog, commit: str) -> str:
    """Return the record of all images. Raises SutraError for those of another commit."""
    images = _images(client, promises)
    for name, image in images.items():
        revision = image.labels.get(REVISION, "")
        if revision != commit:
            raise SutraError(
                f'record-sizes: {name}:{TAG} was built from another commit "{revision}"',
                "run `make build`, then record",
            )
    return recorded.as_text(_sizes(images))
