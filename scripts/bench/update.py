"""Measure what an update transfers to a node that has what is promoted already.

The engine pulls the services' `:latest` from a registry on loopback, under digests that it has
never seen, and then their `:prod`: what the registry sends for these is what an update costs.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.table import Table

from scripts.bench import fresh, paced_registry, twin
from scripts.catalog import catalog
from scripts.catalog.catalog import Catalog
from scripts.common import terminal
from scripts.common.errors import OK, SutraError
from scripts.common.units import format_size
from scripts.engine import client as engine
from scripts.engine import images
from scripts.promotion.versions import LATEST

# bytes a second: nothing is timed
RATE = 10**9
# repositories of the registry
BEFORE, AFTER = "before", "after"


@dataclass(frozen=True)
class Row:
    """One service: bytes that a node without a layer pulls, and one that has the earlier images."""

    service: str
    first: int
    update: int


def measure(client: engine.Client, promises: Catalog) -> list[Row]:
    """Return a row for each service, in the order in which a node pulls them. Raises SutraError."""
    fresh.refuse_remote(client)
    names = [image.name for image in promises.images if image.budget.ready is not None]
    twins = _twins(client, names)
    sent: Counter[str] = Counter()
    with paced_registry.served(twins, RATE, sent) as address:
        repositories = {repository: f"{address}/{repository}" for repository in twins}
        with _untagged_afterwards(client, [f"{place}:{LATEST}" for place in repositories.values()]):
            pulled = {
                repository: _pulled(client, f"{place}:{LATEST}", sent)
                for repository, place in repositories.items()
            }
    return [Row(name, pulled[f"{BEFORE}/{name}"], pulled[f"{AFTER}/{name}"]) for name in names]


def _twins(client: engine.Client, names: Sequence[str]) -> dict[str, twin.Twin]:
    """Return the twins of all images, the earlier ones first: layers that are alike stay so."""
    nonce = os.urandom(twin.NONCE_BYTES)
    references = {f"{BEFORE}/{name}": f"{name}:{LATEST}" for name in names}
    references |= {f"{AFTER}/{name}": f"{name}:prod" for name in names}
    for reference in references.values():
        if images.inspect(client, reference) is None:
            raise SutraError(
                f'bench: no such image "{reference}"', "`make prod` builds and promotes them"
            )
    return {
        repository: fresh.twin_of(client, reference, nonce)
        for repository, reference in references.items()
    }


@contextmanager
def _untagged_afterwards(client: engine.Client, references: Sequence[str]) -> Iterator[None]:
    try:
        yield
    finally:
        for reference in references:
            images.untag(client, reference)


def _pulled(client: engine.Client, reference: str, sent: Mapping[str, int]) -> int:
    """Pull an image and return how many bytes the registry sent for it."""
    before = sum(sent.values())
    with engine.request(f"pull {reference}"):
        client.images.pull(reference)
    return sum(sent.values()) - before


def table(rows: Sequence[Row]) -> Table:
    """Return the rows and their sums."""
    drawn = Table("service", "on a node without layers", "on one that has :latest")
    sums = Row("together", sum(row.first for row in rows), sum(row.update for row in rows))
    for row in (*rows, sums):
        drawn.add_row(row.service, format_size(row.first), format_size(row.update))
    return drawn


def main(options: argparse.Namespace) -> int:
    """Print the table. The images must have been promoted, and built since then."""
    terminal.console().print(table(measure(engine.connect(), catalog.load())))
    return OK
