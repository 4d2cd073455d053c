"""The images on Debian beside those on Alpine: sizes, start-up, requests a second, memory.

Debian's are the `:prod` images that are there; Alpine's are built under tags of this run,
and untagged afterwards. Starts and loads of both alternate, so that a busy moment falls on
both. The client is the same for both, in a container of its own.
"""

from __future__ import annotations

import argparse
import inspect
import os
import statistics
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.table import Table

from scripts.bench import startup
from scripts.bench.inside import load_api
from scripts.build import bake as build
from scripts.build.failure import failure
from scripts.catalog import catalog
from scripts.common import terminal
from scripts.common.errors import OK, SutraError
from scripts.common.units import format_size
from scripts.engine import buildx, sandbox
from scripts.engine import client as engine
from scripts.engine.sandbox import Setup
from scripts.image import read_layers
from scripts.report import readme_tables, tables

RUNS = 5
DOCUMENT = Path("docs/debian-or-alpine.md")
TAG = f"bench-{os.getpid()}-alpine"
DEBIAN, ALPINE = "debian", "alpine"
# load on the API: duration, connections, concepts
SECONDS, CONNECTIONS, CONCEPTS = 5, 4, 100
LIMIT = 60.0
# runs inside the client's container
DRIVER = inspect.getsource(load_api)


@dataclass
class Found:
    """The measurements of one base: bytes, seconds and requests by image or service."""

    installed: dict[str, int] = field(default_factory=dict)
    download: dict[str, int] = field(default_factory=dict)
    healthy: dict[str, list[float]] = field(default_factory=dict)
    requests: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)


References = Mapping[str, str]


@contextmanager
def on_alpine(client: engine.Client, names: list[str]) -> Iterator[References]:
    """Build the images on Alpine and yield their references; nothing else is tagged."""
    settings = {**build.variables(os.environ), "BASE": ALPINE}
    settings |= build.root_variable(client, buildx.bake_plan([build.GROUP], settings))
    references = {name: f"{name}:{TAG}" for name in names}
    overrides = [f"{name}.tags={reference}" for name, reference in references.items()]
    with build.untagged_afterwards(client, list(references.values())):
        code, lines = buildx.bake([build.GROUP], overrides, settings)
        if code:
            raise failure(lines)
        yield references


def measure(client: engine.Client, bases: Mapping[str, References]) -> dict[str, Found]:
    """Return what was measured, by base. Raises SutraError."""
    figures = {base: Found() for base in bases}
    for base, references in bases.items():
        for name, reference in references.items():
            sizes = read_layers.measure(client, reference)
            if sizes is None:
                raise SutraError(f'bench: not built "{reference}"', "run `make build`")
            figures[base].installed[name] = sizes.installed
            figures[base].download[name] = sizes.download
    client_image = bases[DEBIAN]["sutra-api"]
    for turn in range(RUNS + 1):
        for base, references in bases.items():
            with startup.storage(client, references[startup.STORAGE]) as network:
                for service in startup.SERVICES:
                    reference = references[service]
                    seconds, _ = startup.started(client, reference, service, network)
                    if turn:  # the first one reads the files from the disk
                        figures[base].healthy.setdefault(service, []).append(seconds)
                if turn:
                    load(client, references["sutra-api"], client_image, network, figures[base])
        print(f"bench: turn {turn} of {RUNS}", file=sys.stderr, flush=True)
    return figures


def load(
    client: engine.Client, reference: str, client_image: str, network: str, measured: Found
) -> None:
    """Start the API, load it from another container, and note requests a second and memory."""
    setup = Setup(reference, (), network, "sutra-api", writes=("/tmp",))  # noqa: S108 # a tmpfs
    with startup.healthy(client, setup) as container:
        command = ("python3", "-c", DRIVER, *map(str, (SECONDS, CONNECTIONS, CONCEPTS)))
        code, output = sandbox.run(client, Setup(client_image, command, network), LIMIT)
        if code != 0:
            raise SutraError(f'bench: the load failed: "{sandbox.one_line(output)}"')
        measured.requests.append(float(output.splitlines()[-1]))
        memory = sandbox.memory(client, container)
        if memory.held is None:
            raise SutraError(f"bench: memory: not measured: {memory.why}")
        measured.memory.append(memory.held)


Rows = list[tuple[str, str, str, str]]


def rows(measured: Mapping[str, Found]) -> Rows:
    """Return what, Debian's figure, Alpine's, and Alpine's as a multiple of it."""
    debian, alpine = measured[DEBIAN], measured[ALPINE]
    drawn = []
    for name in debian.installed:
        for what in ("installed", "download"):
            pair = getattr(debian, what)[name], getattr(alpine, what)[name]
            drawn.append((f"{name}, {what}", *map(format_size, pair), pair[1] / pair[0]))
    for service in debian.healthy:
        times = [statistics.median(root.healthy[service]) for root in (debian, alpine)]
        shown = (f"{seconds:.2f} s" for seconds in times)
        drawn.append((f"{service}, start to first healthy answer", *shown, times[1] / times[0]))
    rates = [statistics.median(root.requests) for root in (debian, alpine)]
    shown = (f"{rate:,.0f}" for rate in rates)
    drawn.append(("sutra-api, GET /concepts/… a second", *shown, rates[1] / rates[0]))
    held = [int(statistics.median(root.memory)) for root in (debian, alpine)]
    drawn.append(("sutra-api, memory after that", *map(format_size, held), held[1] / held[0]))
    return [
        (what, debian_figure, alpine_figure, f"{ratio:.2f}×")
        for what, debian_figure, alpine_figure, ratio in drawn
    ]


HEADINGS = ("what", "Debian", "Alpine", "Alpine ÷ Debian")


def table(drawn: Rows) -> Table:
    """Return the rows for a terminal."""
    shown = Table(*HEADINGS, title=f"medians of {RUNS}")
    for row in drawn:
        shown.add_row(*row)
    return shown


def main(options: argparse.Namespace) -> int:
    """Print the table; with --readme, write it into DOCUMENT as well."""
    client, promises = engine.connect(), catalog.load()
    names = [image.name for image in promises.images]
    shipped = {image.name: image.reference for image in promises.images}
    with on_alpine(client, names) as references:
        drawn = rows(measure(client, {DEBIAN: shipped, ALPINE: references}))
    terminal.console().print(table(drawn))
    if options.readme:
        readme_tables.write("bases", tables.markdown(HEADINGS, drawn) + "\n", DOCUMENT)
    return OK
