"""`fresh`: how long a node that has nothing of an image takes to its first healthy answer.

It is derived, so that it is the same on every machine: the download at PULL_RATE, the unpacked
bytes at UNPACK_RATE, and the start as `budget.ready` promises it, one after another. An engine
that unpacks while it pulls is quicker.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from scripts.catalog.catalog import Catalog, Image
from scripts.catalog.fresh_rates import Rates
from scripts.common.check_result import CheckResult
from scripts.common.units import format_size, format_time

FRESH = "fresh"


@dataclass(frozen=True)
class Node:
    """Milliseconds of each part of a start on a fresh node."""

    pull: int
    unpack: int
    start: int

    @property
    def total_ms(self) -> int:
        """Milliseconds until the first healthy answer."""
        return self.pull + self.unpack + self.start


def expected(installed: int, download: int, ready: int, rates: Rates) -> Node:
    """Return the parts for sizes in bytes and a start of `ready` milliseconds, rounded up."""
    return Node(_ms(download, rates.pull), _ms(installed, rates.unpack), ready)


def verify(promises: Catalog, results: Sequence[CheckResult]) -> list[CheckResult]:
    """Return a check for each service with `budget.fresh` whose two sizes are in `results`."""
    sizes = {(result.image, result.name): result.actual for result in results}
    return [result for image in promises.images for result in _check(promises, image, sizes)]


def _check(
    promises: Catalog, image: Image, sizes: dict[tuple[str, str], int | None]
) -> Iterator[CheckResult]:
    budget, rates = image.budget, promises.rates
    installed, download = (sizes.get((image.name, what)) for what in ("installed", "download"))
    if budget.fresh is None or budget.ready is None or installed is None or download is None:
        return
    node = expected(installed, download, budget.ready, rates)
    problem = ""
    if node.total_ms > budget.fresh:
        problem = (
            f'over budget "{format_time(node.total_ms)}", {format_time(budget.fresh)} allowed '
            f"(+{node.total_ms - budget.fresh} ms): {format_time(node.pull)} to pull at "
            f"{format_size(rates.pull)}/s, {format_time(node.unpack)} to unpack at "
            f"{format_size(rates.unpack)}/s, {format_time(node.start)} to start"
        )
    yield CheckResult(
        image.name,
        FRESH,
        not problem,
        node.total_ms,
        budget.fresh,
        problem,
        "ms",
        file=str(promises.path),
        key=f"images.{image.key}.{budget.key}.{FRESH}",
    )


def _ms(size: int, rate: int) -> int:
    return ceil(Fraction(size * 1000, rate))
