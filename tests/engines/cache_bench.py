"""Measure what an image costs an empty builder, without and with a registry's cache; part of
`make bench`.

eg: python -m tests.engines.cache_bench
    python -m tests.engines.cache_bench sutra-base-python

Every build is `scripts build` with the knobs of docs/build-farm.md, on a BuildKit of its own
(the release that `make test-engines` runs), and ends with the engine's own. The layers of all of
them must be the same, or the exit code is 1.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from scripts.bench import programs
from scripts.common import terminal
from scripts.common.errors import CHECK_FAILED, OK, SutraError, run
from scripts.engine import buildx, images
from scripts.engine import client as engine
from tests.conftest import ROOT
from tests.engines import buildkit
from tests.support import go_program, registries
from tests.support.running import running

TARGET = "sutra-api"
PACKAGE = "github.com/moby/buildkit"


@dataclass(frozen=True)
class Row:
    """One build: what it had, its seconds, and the digests of its image's layers."""

    what: str
    seconds: float
    layers: tuple[str, ...]


def program() -> Path:
    """Return buildkitd, compiled once by this machine's Go; minutes. Raises SutraError."""
    programs.on_path("go", "install Go: Debian's package is golang-go")
    version = f"{PACKAGE}/version.Version={buildkit.version()}"
    module = ROOT / buildkit.MODULE
    return go_program.kept("buildkitd", module, f"{PACKAGE}/cmd/buildkitd", version)


@contextmanager
def empty_builder(folder: Path) -> Iterator[Mapping[str, str]]:
    """Run a BuildKit that has built nothing; yield the variables that make builds use it."""
    folder.mkdir()
    address = f"unix://{folder}/socket"
    variables = {"BUILDX_CONFIG": str(folder / "buildx"), "BUILDER": "bench"}
    command = (str(program()), f"--addr={address}", f"--root={folder}/store")
    with running(folder / "log", *command):
        create = [buildx.find_client(), "buildx", "create", "--driver=remote", "--name=bench"]
        subprocess.run(
            [*create, address],
            env={**os.environ, **variables},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        yield variables


def build(target: str, what: str, knobs: Mapping[str, str]) -> Row:
    """Build one image into the engine. Raises SutraError when that fails."""
    print(f"bench: {target}, {what}: ", end="", file=sys.stderr, flush=True)
    inherited = {key: value for key, value in os.environ.items() if key not in ("BUILDER", "CACHE")}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "scripts", "build", target],
        env={**inherited, **knobs},
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - start
    print(f"{seconds:.1f} s", file=sys.stderr, flush=True)
    if done.returncode:
        raise SutraError(f"bench: {what}: {' | '.join(done.stderr.strip().splitlines()[-2:])}")
    image = images.inspect(engine.connect(), f"{target}:prod") or {}
    return Row(what, seconds, tuple(image["RootFS"]["Layers"]))


def measure(target: str, folder: Path) -> list[Row]:
    """Return a row for each build, in the order of the table."""
    with registries.registry(folder / "registry") as address:
        to_cache = {"CACHE": f"{address}/cache"}
        with empty_builder(folder / "first") as first:
            rows = [build(target, "empty builder, empty cache", {**first, **to_cache})]
        with empty_builder(folder / "second") as second:
            rows.append(build(target, "empty builder, registry cache", {**second, **to_cache}))
            rows.append(build(target, "same builder again", {**second, **to_cache}))
    return [*rows, build(target, "the engine's own builder", {})]


def table(target: str, rows: Sequence[Row]) -> Table:
    """Return the rows for a terminal, each beside the first."""
    drawn = Table("build", "seconds", "÷ first", "layers", title=target)
    for row in rows:
        digest = hashlib.sha256("\n".join(row.layers).encode()).hexdigest()
        ratio = f"{row.seconds / rows[0].seconds:.2f}×"
        drawn.add_row(row.what, f"{row.seconds:.1f}", ratio, f"{len(row.layers)}, {digest[:12]}")
    return drawn


def differing(rows: Sequence[Row]) -> list[str]:
    """Return a line for each build whose layers are not the first one's."""
    return [
        f"bench: {row.what}: other layers than {rows[0].what}: {', '.join(row.layers)}"
        for row in rows
        if row.layers != rows[0].layers
    ]


def main(measure: Callable[[str, Path], list[Row]] = measure) -> int:
    """Print the table; exit code 1 when two builds gave other layers."""
    parser = argparse.ArgumentParser(prog="python -m tests.engines.cache_bench")
    parser.add_argument("target", nargs="?", default=TARGET, help=f"an image, default {TARGET}")
    target = parser.parse_args().target
    if os.geteuid():
        raise SutraError("bench: a BuildKit of its own runs as root here", "`sudo make bench`")
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(target, Path(folder))
    terminal.console().print(table(target, rows))
    wrong = differing(rows)
    print("".join(f"{line}\n" for line in wrong), end="", file=sys.stderr)
    return CHECK_FAILED if wrong else OK


if __name__ == "__main__":
    run(main)
