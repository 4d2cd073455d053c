"""Measure what `budget.fresh` derives: pull, unpacking and first answer on a node that has nothing.

The engine pulls each service from a registry on loopback that sends PULL_RATE, under digests that
it has never seen, and starts it beside a storage that runs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from scripts.bench import paced_registry, startup, twin
from scripts.catalog import catalog
from scripts.catalog.catalog import Catalog, Image
from scripts.checks.runtime import service
from scripts.checks.sizes.fresh import Node, expected
from scripts.common import terminal
from scripts.common.errors import OK, SutraError
from scripts.common.units import format_size, format_time
from scripts.engine import client as engine
from scripts.engine import images
from scripts.image import read_layers

COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class Row:
    """One service: milliseconds as measured, and as derived."""

    service: str
    pulled: int
    started: int
    derived: Node
    budget: int


def measure(client: engine.Client, promises: Catalog) -> list[Row]:
    """Return a row for each service with `budget.fresh`. Raises SutraError."""
    refuse_remote(client)
    with startup.storage(client) as network:
        return [
            _row(client, promises, image, network)
            for image in promises.images
            if image.budget.fresh is not None
        ]


def refuse_remote(client: engine.Client) -> None:
    """Raise SutraError for an engine that cannot reach a registry on this machine's loopback."""
    if engine.is_remote(client):
        raise SutraError(
            "bench: the engine is on another machine, which cannot pull from this one's loopback",
            "run it where the engine runs",
        )


def _row(client: engine.Client, promises: Catalog, image: Image, network: str) -> Row:
    sizes = read_layers.measure(client, image.reference)
    if sizes is None:
        raise promises.not_built(image, image.reference)
    ready, rates = image.budget.ready or 0, promises.rates
    twins = {image.name: twin_of(client, image.reference, os.urandom(twin.NONCE_BYTES))}
    with paced_registry.served(twins, rates.pull) as address:
        reference = f"{address}/{image.name}:latest"
        try:
            times = _pull_and_start(client, image, reference, network)
        finally:
            images.untag(client, reference)
    derived = expected(sizes.installed, sizes.download, ready, rates)
    return Row(image.name, *times, derived, image.budget.fresh or 0)


def _pull_and_start(
    client: engine.Client, image: Image, reference: str, network: str
) -> tuple[int, int]:
    """Return the milliseconds of the pull, and from there to the first healthy answer."""
    begun = time.monotonic()
    with engine.request(f"pull {reference}"):
        client.images.pull(reference)
    pulled = time.monotonic()
    inspected = images.inspect(client, reference) or {}
    with startup.healthy(client, service.setup_of(image, inspected, network)):
        answered = time.monotonic()
    return round(1000 * (pulled - begun)), round(1000 * (answered - pulled))


def twin_of(client: engine.Client, reference: str, nonce: bytes) -> twin.Twin:
    """Return a copy of an image under digests that no engine has; `nonce` has NONCE_BYTES."""
    with tempfile.TemporaryFile() as file:
        with images.saved(client, reference) as stream:
            shutil.copyfileobj(stream, file, COPY_BYTES)
        file.seek(0)
        with tarfile.open(fileobj=file) as archive:
            return twin.of(archive, nonce)


def table(rows: Sequence[Row], rate: int) -> Table:
    """Return the rows: what was measured, beside the sum that the budget holds."""
    drawn = Table(
        *("service", "pull, unpack", "first answer", "measured", "derived", "budget"),
        title=f"on a fresh node that pulls {format_size(rate)} a second",
    )
    for row in rows:
        times = row.pulled, row.started, row.pulled + row.started, row.derived.total_ms, row.budget
        drawn.add_row(row.service, *map(format_time, times))
    return drawn


def main(options: argparse.Namespace) -> int:
    """Print the table. The images must have been built."""
    promises = catalog.load()
    terminal.console().print(table(measure(engine.connect(), promises), promises.rates.pull))
    return OK
