"""How soon a service answers, by bytecode mode: process start to the first healthy answer.

Each service is built once more in each mode of the cleanup manifests, base image
included, and started beside a storage of its own; starts of all variants alternate,
so that a busy moment falls on all of them. The clock runs inside the container:
what the engine takes to start one is not counted.
"""

from __future__ import annotations

import argparse
import inspect
import os
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from sutra_cleanup import manifest

from scripts.bench.inside import start_service
from scripts.bench.inside.start_service import MARKER
from scripts.build import bake as build
from scripts.build.failure import failure
from scripts.common import terminal
from scripts.common.errors import OK, SutraError
from scripts.common.units import format_size
from scripts.engine import buildx, health, images, sandbox
from scripts.engine import client as engine
from scripts.engine.sandbox import Setup
from scripts.image import read_layers

if TYPE_CHECKING:
    from docker.models.containers import Container

RUNS = 10
# the manifests' name for the mode that the others are compared with
PEER = "cached"
MODES = ("source", PEER, "sourceless")
SHIPPED = "as shipped"
SERVICES = {"sutra-api": 8000, "sutra-hybrid": 8001}
BASE, STORAGE, STORAGE_ALIAS = "sutra-base-python", "sutra-storage-server", "sutra-storage"
TAG = f"bench-{os.getpid()}"
SECONDS = 120
# runs inside the container
DRIVER = inspect.getsource(start_service)


@dataclass(frozen=True)
class Row:
    """One variant of one service: bytes, and medians in seconds.

    `healthy` is from process start to the first healthy answer, `imported` what a
    process takes that imports all modules of `prove`.
    """

    service: str
    mode: str
    installed: int
    download: int
    healthy: float
    imported: float


def build_variants(client: engine.Client, mode: str, references: Mapping[str, str]) -> None:
    """Build every service with all bytecode in `mode`, each as `references` names it."""
    knobs = build.variables(os.environ)
    knobs |= build.root_variable(client, buildx.bake_plan(list(SERVICES), knobs))
    overrides = [f"{name}.args.BYTECODE={mode}" for name in (BASE, *SERVICES)]
    overrides += [f"{name}.tags={reference}" for name, reference in references.items()]
    overrides += [f"{BASE}.tags=", f"{BASE}.output=type=cacheonly"]
    code, lines = buildx.bake(["builders", BASE, *SERVICES], overrides, knobs)
    if code:
        raise failure(lines)


@contextmanager
def storage(client: engine.Client, reference: str = f"{STORAGE}:prod") -> Iterator[str]:
    """Start a storage on a network of its own and yield the network's name."""
    # the data stays in the image's volume: a tmpfs would belong to root
    with (
        sandbox.network(client) as network,
        healthy(client, Setup(reference, network=network, alias=STORAGE_ALIAS)),
    ):
        yield network


@contextmanager
def healthy(client: engine.Client, setup: Setup) -> Iterator[Container]:
    """Start a service, yield its container, and end it with the block.

    Raises SutraError when it is not healthy.
    """
    inspected = images.inspect(client, setup.image)
    probe = health.probe_of(inspected) if inspected else None
    if probe is None:
        raise SutraError(f'bench: not built "{setup.image}"', "run `make build`")
    with sandbox.container(client, setup) as container:
        started = health.wait(client, container, probe, 10_000)
        if started.problem:
            raise SutraError(f'bench: "{setup.image}": {started.problem}')
        yield container


def started(
    client: engine.Client, reference: str, service: str, network: str
) -> tuple[float, float]:
    """Start the service once; return the seconds until it was healthy, and of the imports."""
    proven = manifest.load(Path("packages", service, "cleanup.yaml")).imports
    command = ("python", "-c", DRIVER, service.replace("-", "_"), str(SERVICES[service]))
    setup = Setup(reference, (*command, ", ".join(proven)), network)
    code, output = sandbox.run(client, setup, SECONDS)
    times = [line for line in output.splitlines() if line.startswith(MARKER)]
    if code != 0 or len(times) != 2:
        late = f"not done in {SECONDS} s, " if code is None else ""
        last_words = sandbox.one_line(output)
        raise SutraError(f'bench: "{reference}" did not start: {late}last words "{last_words}"')
    healthy, imported = (float(line.removeprefix(MARKER)) for line in times)
    return healthy, imported


def measure(client: engine.Client) -> list[Row]:
    """Return a row for each service in each mode, as shipped first. Raises SutraError."""
    variants = {mode: {name: f"{name}:{TAG}-{mode}" for name in SERVICES} for mode in MODES}
    built = {SHIPPED: {name: f"{name}:prod" for name in SERVICES}, **variants}
    try:
        for mode, references in variants.items():
            build_variants(client, mode, references)
        with storage(client) as network:
            return [
                row for service in SERVICES for row in _alternate(client, service, built, network)
            ]
    finally:
        for references in variants.values():
            for reference in references.values():
                images.untag(client, reference)


def _alternate(
    client: engine.Client, service: str, built: Mapping[str, Mapping[str, str]], network: str
) -> Iterator[Row]:
    times: dict[str, list[tuple[float, float]]] = {mode: [] for mode in built}
    for turn in range(RUNS + 1):
        for mode in built:
            taken = started(client, built[mode][service], service, network)
            if turn:  # the first one reads the files from the disk
                times[mode].append(taken)
        print(f"{service}: start {turn} of {RUNS}", file=sys.stderr, flush=True)
    for mode in built:
        sizes = read_layers.measure(client, built[mode][service])
        if sizes is None:
            raise SutraError(f'engine: image no longer exists "{built[mode][service]}"')
        healthy, imported = (
            statistics.median(seconds) for seconds in zip(*times[mode], strict=True)
        )
        yield Row(service, mode, sizes.installed, sizes.download, healthy, imported)


def table(rows: Sequence[Row]) -> Table:
    """Return the rows with each one's ratios to the same service compiled and cached."""
    drawn = Table(
        "service",
        "bytecode",
        "installed",
        "download",
        "healthy s",
        f"÷ {PEER}",
        "imports s",
        f"÷ {PEER}",
        title=f"process start to first healthy answer, and imports: medians of {RUNS}",
    )
    peers = {row.service: row for row in rows if row.mode == PEER}
    for row in rows:
        peer = peers[row.service]
        drawn.add_row(
            row.service,
            row.mode,
            format_size(row.installed),
            format_size(row.download),
            f"{row.healthy:.3f}",
            f"{row.healthy / peer.healthy:.2f}×",
            f"{row.imported:.3f}",
            f"{row.imported / peer.imported:.2f}×",
        )
    return drawn


def main(options: argparse.Namespace) -> int:
    """Print the table. The images as shipped must have been built."""
    rows = measure(engine.connect())
    terminal.console().print(table(rows))
    return OK
