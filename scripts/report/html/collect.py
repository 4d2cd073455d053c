"""Collect what the report shows: verdict, shares, changes, origins, licences, history."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.catalog.catalog import Catalog
from scripts.checks import gate, package_tests
from scripts.common.check_result import RELEASE, CheckResult
from scripts.common.labels import VERSION
from scripts.engine import client as engine
from scripts.image import read_layers
from scripts.image.size_cache import CACHE
from scripts.report import tables
from scripts.report.html import about, breakdown, licences, size_history, treemap
from scripts.report.html.about import About
from scripts.report.html.breakdown import Part
from scripts.report.html.size_history import Point
from scripts.report.html.treemap import Cell
from scripts.report.readme_tables import BEFORE
from scripts.sbom import components

LARGEST_FILES = 30
LARGEST_OWNERS = 60


@dataclass(frozen=True)
class Bar:
    """A budget and how much of it is used; `share` is 1 when it is used up, may be more.

    It is None where nothing could be measured.
    """

    result: CheckResult
    value: str
    limit: str
    share: float | None


@dataclass(frozen=True)
class Section:
    """All about one image; `before` are the bytes of its development image, if that is built."""

    name: str
    installed: int
    before: int | None
    bars: tuple[Bar, ...]
    cells: tuple[Cell, ...]
    owners: tuple[Part, ...]
    more_owners: int
    files: tuple[tuple[Part, Part], ...]
    more_files: int
    about: About

    @property
    def kinds(self) -> list[str]:
        """The kinds of owners that the picture shows, for its legend."""
        return sorted({cell.kind for cell in self.cells})


@dataclass(frozen=True)
class Report:
    """What the template shows."""

    version: str
    results: tuple[CheckResult, ...]
    release: tuple[Bar, ...]
    sections: tuple[Section, ...]
    points: tuple[Point, ...]
    treemap: tuple[float, float] = (treemap.WIDTH, treemap.HEIGHT)

    @property
    def failed(self) -> list[CheckResult]:
        """The checks that failed."""
        return [result for result in self.results if not result.ok]


def gather(client: engine.Client, promises: Catalog, cache: Path = CACHE) -> Report:
    """Check every image and collect the report. Raises SutraError for one that is not built."""
    tests = package_tests.plan(client, promises, os.environ, package_tests.skips(os.environ))
    verdict = gate.everything(client, promises, tests=tests)
    built = about.read(client, promises, verdict.ids, cache)
    sections, versions = [], []
    for image in promises.images:
        content, bill = built[image.name], components.of(built[image.name])
        before = read_layers.measure(client, BEFORE.get(image.name, f"{image.name}:dev"), cache)
        own = [result for result in verdict.results if result.image == image.name]
        owners = breakdown.by_owner(content, licences.by_owner(content, bill))
        facts = about.of(client, promises, image, built, bill, cache)
        development = before.installed if before else None
        sections.append(section(image.name, owners, own, development, facts))
        versions.append(breakdown.shown(content.labels.get(VERSION, "")))
    release = [result for result in verdict.results if result.image == RELEASE]
    return Report(
        ", ".join(dict.fromkeys(filter(None, versions))),
        verdict.results,
        bars(release),
        tuple(sections),
        tuple(size_history.read()),
    )


def section(
    name: str,
    owners: Sequence[Part],
    results: Sequence[CheckResult],
    before: int | None,
    facts: About,
) -> Section:
    """Return an image's section; long tables are cut, and say by how much."""
    files = sorted(breakdown.files_of(owners), key=lambda pair: (-pair[0].size, pair[0].name))
    return Section(
        name,
        sum(owner.size for owner in owners),
        before,
        bars(results),
        treemap.lay_out(owners),
        tuple(owners[:LARGEST_OWNERS]),
        len(owners[LARGEST_OWNERS:]),
        tuple(files[:LARGEST_FILES]),
        len(files[LARGEST_FILES:]),
        facts,
    )


def bars(results: Sequence[CheckResult]) -> tuple[Bar, ...]:
    """Return a bar for each result with a limit above zero: sizes, times, memory."""
    return tuple(
        Bar(result, tables.value(result), tables.limit(result), _share(result.actual, result.limit))
        for result in results
        if result.limit
    )


def _share(actual: int | None, limit: int) -> float | None:
    return None if actual is None else actual / limit
