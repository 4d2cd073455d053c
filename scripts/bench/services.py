"""Measure the API's share of a call of the storage, /similar over HTTP, and the index behind it.

The images as shipped, on an internal network; the client is a container beside them. It
keeps a connection to each, and asks storage and API in turn, so that a busy moment falls on
both. A PUT takes a sync of the disk in both.
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.table import Table

from scripts.bench.inside import ask_in_turn
from scripts.bench.startup import SERVICES, healthy, storage
from scripts.common import arguments, settings, terminal
from scripts.common.errors import OK, SutraError
from scripts.engine import client as engine
from scripts.engine import sandbox
from scripts.engine.sandbox import Setup

HYBRID_BENCH = Path("packages/sutra-hybrid/bench.py")
# seconds after which a part has failed
DRIVER_SECONDS = 300
INDEX_SECONDS = {10_000: 300, 100_000: 1200}
# runs inside the container
DRIVER = inspect.getsource(ask_in_turn)

# p50 and p99 in milliseconds, by "service METHOD"
Times = Mapping[str, tuple[float, float]]


def measure(client: engine.Client, requests: int) -> Times:
    """Return the times of so many requests of each kind. Raises SutraError."""
    with storage(client) as network:
        api, hybrid = (
            Setup(f"{name}:prod", (), network, name, writes=("/tmp",))  # noqa: S108 # a tmpfs
            for name in SERVICES
        )
        with healthy(client, api), healthy(client, hybrid):
            _say(f"{requests} requests of each kind")
            command = ("python3", "-c", DRIVER, str(requests))
            setup = Setup("sutra-api:prod", command, network)
            times: Times = json.loads(_run(client, setup, DRIVER_SECONDS).splitlines()[-1])
            return times


def index(client: engine.Client, concepts: int) -> str:
    """Return what packages/sutra-hybrid/bench.py prints of so many, inside the shipped image."""
    _say(f"an index of {concepts:,} concepts")
    command = ("python3", "-c", HYBRID_BENCH.read_text(), str(concepts))
    setup = Setup("sutra-hybrid:prod", command, writes=("/tmp",))  # noqa: S108 # a tmpfs
    return _run(client, setup, INDEX_SECONDS[concepts])


def table(times: Times, requests: int) -> Table:
    """Return the times: of the storage asked directly, and of the API as multiples of these."""
    drawn = Table(
        "request",
        "direct p50",
        "p99",
        "API p50",
        "p99",
        "p50 ÷ direct",
        "p99 ÷ direct",
        title=f"milliseconds, {requests} requests one after the other",
    )
    for method in ("GET", "PUT"):
        direct, api = times[f"storage {method}"], times[f"api {method}"]
        shown = [f"{value:.2f}" for value in (*direct, *api)]
        ratios = [f"{mine / its:.2f}×" for mine, its in zip(api, direct, strict=True)]
        drawn.add_row(f"{method} /concepts/…", *shown, *ratios)
    similar = [f"{value:.2f}" for value in times["hybrid POST"]]
    drawn.add_row(f"POST /similar of {2 * (requests + 50):,}", "", "", *similar, "", "")
    return drawn


def _run(client: engine.Client, setup: Setup, seconds: float) -> str:
    code, output = sandbox.run(client, setup, seconds)
    if code is None:
        raise SutraError(f'bench: "{setup.image}" took more than {seconds:g} s')
    if code:
        raise SutraError(f'bench: "{setup.image}" failed: {sandbox.one_line(output)}')
    return output


def _say(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)


def main(options: argparse.Namespace) -> int:
    """Print the table, then time and memory of an index. The images must have been built."""
    if options.requests < 1:
        options.error("--requests must be at least 1")
    client = engine.connect()
    times = measure(client, options.requests)
    console = terminal.console()
    console.print(table(times, options.requests))
    for concepts in (
        INDEX_SECONDS if settings.flag(arguments.knobs(options), "FULL") else (min(INDEX_SECONDS),)
    ):
        print(index(client, concepts), end="", flush=True)
    return OK
