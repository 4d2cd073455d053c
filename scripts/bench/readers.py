"""The cost of reading images: compared with other readers, and for a thousand images.

Run by `make bench`; `python -m scripts bench readers` runs these two alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from rich.table import Table

from scripts.bench import programs, structure_test, syft
from scripts.bench.rebuilds import timed
from scripts.bench.serving import serving
from scripts.catalog import catalog
from scripts.common import terminal
from scripts.common.errors import OK, SutraError
from scripts.engine import client as engine
from scripts.image import size_cache
from scripts.oci.layer import Layer

COUNTS = (250, 500, 1000)
BASES = 50
OURS = "sizes, owners and contents"
RUNS = 3


# ---- against other readers -------------------------------------------------

Way = Callable[[str], float]


def readers(runs: int) -> list[tuple[str, float | None]]:
    """Return what reading all images takes, in seconds: ours first, then the peers; best of runs.

    Ours reads sizes, owners and facts of every file into an empty cache; dive adds
    up sizes; container-structure-test looks at one file and the user; syft, None where
    it is not on PATH, lists packages.
    """
    images = [image.reference for image in catalog.load().images]
    with tempfile.TemporaryDirectory() as folder:
        peers = _peers(Path(folder))
        times: dict[str, list[float]] = {name: [] for name in (OURS, *peers)}
        for _ in range(runs):
            times[OURS].append(_ours(images))
            for name, way in peers.items():
                times[name].append(sum(map(way, images)))
    rows: list[tuple[str, float | None]] = [(name, min(took)) for name, took in times.items()]
    return rows if syft.NAME in peers else [*rows, (syft.NAME, None)]


def _peers(folder: Path) -> dict[str, Way]:
    """Return how each peer reads one image; a missing one of the development tools raises."""
    dive = programs.development_tool("dive")
    structure = programs.development_tool("container-structure-test")
    client = engine.connect()
    peers: dict[str, Way] = {
        "dive, CI=true": lambda image: timed([dive, image], {**os.environ, "CI": "true"}),
        "container-structure-test": lambda image: structure_test.seconds(
            client, structure, image, folder
        ),
    }
    if program := shutil.which(syft.NAME):
        peers[syft.NAME] = lambda image: timed(
            syft.command(program, f"docker:{image}"), syft.environment(folder / "cache")
        )
    return peers


def _ours(images: list[str]) -> float:
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-m", "scripts.bench.reading_driver", cache, *images]
        return timed(command, os.environ)


# ---- a thousand images -----------------------------------------------------


def catalogue(folder: Path, count: int) -> dict[str, dict[str, Any]]:
    """Write `count` images that share BASES base layers: catalogue, bake file, known layers.

    Return what an engine says of each by its reference.
    """
    names = [f"image-{number}" for number in range(count)]
    budget = "{budget: {installed: 1 GB, download: 1 GB}}"
    rows = "".join(f"  {name}: {budget}\n" for name in names)
    (folder / "images.yaml").write_text(
        f"release: {{budget: {{installed: 999 GB, download: 999 GB}}}}\nimages:\n{rows}"
    )
    listed = json.dumps(names)
    targets = "".join(f'target "{name}" {{ tags = ["{name}:prod"] }}\n' for name in names)
    (folder / "docker-bake.hcl").write_text(f'group "prod" {{ targets = {listed} }}\n{targets}')
    inspected: dict[str, dict[str, Any]] = {}
    for number, name in enumerate(names):
        pair = [_digest(f"base {number % BASES}"), _digest(name)]
        for diff_id in pair:
            size_cache.remember(
                folder / size_cache.CACHE, Layer(diff_id, diff_id, 1_000_000, 400_000)
            )
        identity = _digest("id " + name)
        size_cache.remember_stored(folder / size_cache.CACHE, identity, pair)
        inspected[f"{name}:prod"] = {"Id": identity, "RootFS": {"Layers": pair}}
    return inspected


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@contextmanager
def engine_of(inspected: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    """Answer on loopback as an engine that has these images; yield its address."""

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # one packet an answer: a second would wait until the first is acknowledged
        wbufsize = -1

        def do_GET(self) -> None:
            name = self.path.partition("/images/")[2].removesuffix("/json")
            version = {"Version": "99.0", "ApiVersion": "1.45", "MinAPIVersion": "1.24"}
            data = json.dumps(inspected.get(name, version)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Api-Version", "1.45")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Answers)) as address:
        yield f"tcp://{address}"


def scale(count: int) -> tuple[float, float, int]:
    """Return seconds of planning and of a warm verify of `count` images, and its peak bytes."""
    here = Path().absolute()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with engine_of(catalogue(folder, count)) as address:
            environment = {**os.environ, "DOCKER_HOST": address}
            environment["PYTHONPATH"] = os.pathsep.join((str(here), str(here / "base-images/lib")))
            planning, _ = _timed_in(folder, "planning_driver", environment)
            verifying, output = _timed_in(folder, "verify_driver", environment)
    return planning, verifying, int(output.splitlines()[-1]) * 1024


def _timed_in(folder: Path, driver: str, environment: Mapping[str, str]) -> tuple[float, str]:
    """Return the seconds that a program beside this module takes in `folder`, and its stderr."""
    command = [sys.executable, "-m", f"scripts.bench.{driver}"]
    start = time.perf_counter()
    done = programs.run(command, environment, folder)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SutraError("bench: a catalogue of many images failed", done.stderr[-500:])
    return seconds, done.stderr


def table_of(rows: Sequence[tuple[str, float | None]]) -> Table:
    """Return the rows with each one's ratio to the first, which has a time."""
    drawn = Table("all images, nothing cached", "best s", "ratio", title=f"readers, best of {RUNS}")
    first = next(seconds for _, seconds in rows if seconds)
    for name, seconds in rows:
        figures = [f"{seconds:.2f}", f"{seconds / first:.2f}×"] if seconds else ["not installed"]
        drawn.add_row(name, *figures)
    return drawn


def main(options: argparse.Namespace) -> int:
    """Print both tables."""
    console = terminal.console()
    rows = readers(RUNS)
    console.print(table_of(rows))
    if rows[-1] == (syft.NAME, None):
        print(f"tip: {syft.INSTALL}")
    table = Table("images", "plan s", "warm verify s", "peak MB", title=f"{BASES} base layers")
    for count in COUNTS:
        planning, verifying, peak = scale(count)
        table.add_row(str(count), f"{planning:.2f}", f"{verifying:.2f}", f"{peak / 1e6:.0f}")
    console.print(table)
    return OK
