"""The cost of reading images: compared with other readers, and for a thousand images.

Run by `make bench`; `python -m scripts.bench.readers` runs these two alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from rich.table import Table

from scripts.bench import programs
from scripts.bench.rebuilds import timed
from scripts.bench.serving import serving
from scripts.catalog import catalog
from scripts.common import terminal
from scripts.common.errors import OK, SutraError
from scripts.image import size_cache
from scripts.oci.layer import Layer

COUNTS = (250, 500, 1000)
BASES = 50
STRUCTURE = """\
schemaVersion: 2.0.0
metadataTest: {user: "10001:10001"}
fileExistenceTests: [{name: records, path: /etc/passwd, shouldExist: true}]
"""


# ---- against other readers -------------------------------------------------


def readers(runs: int) -> list[tuple[str, float]]:
    """Return what reading all images takes, in seconds: ours first, then the peers; best of runs.

    Ours reads sizes, owners and facts of every file into an empty cache; dive adds
    up sizes; container-structure-test looks at one file and the user.
    """
    images = [image.reference for image in catalog.load().images]
    dive = programs.development_tool("dive")
    structure_test = programs.development_tool("container-structure-test")
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "structure.yaml")
        config.write_text(STRUCTURE)
        structure = [structure_test, "test", "--config", str(config)]
        ways: dict[str, Callable[[], float]] = {
            "sizes, owners and contents": lambda: _ours(images),
            "dive, CI=true": lambda: sum(
                timed([dive, image], {**os.environ, "CI": "true"}) for image in images
            ),
            "container-structure-test": lambda: sum(
                timed([*structure, "--image", image], os.environ) for image in images
            ),
        }
        times = [[way() for way in ways.values()] for _ in range(runs)]
    return list(zip(ways, map(min, zip(*times, strict=True)), strict=True))


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


def main(options: argparse.Namespace) -> int:
    """Print both tables."""
    console = terminal.console()
    times = readers(3)
    table = Table("all images, nothing cached", "best s", "ratio", title="readers, best of 3")
    for name, seconds in times:
        table.add_row(name, f"{seconds:.2f}", f"{seconds / times[0][1]:.2f}×")
    console.print(table)
    table = Table("images", "plan s", "warm verify s", "peak MB", title=f"{BASES} base layers")
    for count in COUNTS:
        planning, verifying, peak = scale(count)
        table.add_row(str(count), f"{planning:.2f}", f"{verifying:.2f}", f"{peak / 1e6:.0f}")
    console.print(table)
    return OK
