"""What the API adds to a call of the storage, /similar over HTTP, and the index that it asks.

The images as shipped, on an internal network; the client is a container beside them. It
keeps a connection to each, and asks storage and API in turn, so that a busy moment falls on
both. A PUT takes a sync of the disk in both.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.table import Table

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
# runs inside the container: its argument is the number of requests of each kind
DRIVER = """
import http.client, json, sys, time
count = int(sys.argv[1])
places = {
    "storage": http.client.HTTPConnection("sutra-storage", 50051, timeout=30),
    "api": http.client.HTTPConnection("sutra-api", 8000, timeout=30),
    "hybrid": http.client.HTTPConnection("sutra-hybrid", 8001, timeout=30),
}
times = {}
def ask(place, method, path, body=None):
    start = time.perf_counter()
    content = body and json.dumps(body)
    places[place].request(method, path, content, {"Content-Type": "application/json"})
    answer = places[place].getresponse()
    answer.read()
    times.setdefault(place + " " + method, []).append(time.perf_counter() - start)
    if not 200 <= answer.status < 300:
        sys.exit(f"{place}: {method} {path}: {answer.status}")
def each(number):
    for place in ("storage", "api"):
        path = f"/concepts/{place}-{number}"
        ask(place, "PUT", path, {"text": f"fact {number} of {place} in {number % 97}"})
        ask(place, "GET", path)
for number in range(50):
    each(number)
times.clear()
for number in range(count):
    each(number)
ask("hybrid", "POST", "/refresh")
for number in range(20):
    ask("hybrid", "POST", "/similar", {"text": "fact of the api"})
times.pop("hybrid POST")
for number in range(count):
    ask("hybrid", "POST", "/similar", {"text": f"fact {number} in {number % 97}"})
def quantile(values, share):
    return sorted(values)[int(len(values) * share)] * 1000
print(json.dumps({name: [quantile(t, 0.5), quantile(t, 0.99)] for name, t in times.items()}))
"""

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
        "request", "direct p50", "p99", "API p50", "p99", "p50 ÷ direct", "p99 ÷ direct",
        title=f"milliseconds, {requests} requests one after the other",
    )  # fmt: skip
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
