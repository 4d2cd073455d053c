"""`make bench`: what rebuilding costs, as ratios of two commands timed in the same run.

Absolute times mean little on a shared machine; each pair is run alternately, and
the ratio of the medians is what counts.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.table import Table

from scripts.bench import programs
from scripts.build import bake as build
from scripts.common import git, terminal
from scripts.common.errors import OK, SutraError
from scripts.engine import buildx
from scripts.engine import client as engine

RUNS = 5
FILES = 200_000
CHANGED = "packages/sutra-api/src/sutra_api/app.py"


def timed(command: Sequence[str], environment: Mapping[str, str], folder: Path = Path()) -> float:
    """Run `command` and return its wall time in seconds. Raises SutraError when it fails."""
    start = time.perf_counter()
    done = programs.run(command, environment, folder)
    if done.returncode:
        last = " | ".join(done.stderr[-500:].strip().splitlines())
        raise SutraError(f'bench: failed "{" ".join(command)}"', last)
    return time.perf_counter() - start


def pair(first: Callable[[], float], second: Callable[[], float]) -> tuple[float, float]:
    """Return the medians of both, run alternately RUNS times."""
    times = [(first(), second()) for _ in range(RUNS)]
    return statistics.median(a for a, _ in times), statistics.median(b for _, b in times)


def checkout(target: Path) -> None:
    """Copy what git knows of the working tree to `target`, with its time stamps."""
    listing = git.ask("ls-files", "--cached", "--others", "--exclude-standard", "-z")
    for file in map(os.fsdecode, filter(None, listing.split(b"\0"))):
        if Path(file).exists():
            copy = target / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)


def main(options: argparse.Namespace) -> int:
    """Print how long an unchanged and a one-line rebuild take, against bare bake."""
    client = engine.connect()
    environment = {
        **os.environ,
        **buildx.BAKE_ENVIRONMENT,
        **build.variables(os.environ),
        **build.root_variable(client, buildx.bake_plan(["bases"], {})),
    }
    bare = [buildx.find_client(), "buildx", "bake", build.GROUP]
    # the caller's environment: VERSION is only a label here, but a version to promote there
    timed(["make", "prod"], os.environ)
    unchanged, bake = pair(
        lambda: timed(["make", "prod"], os.environ), lambda: timed(bare, environment)
    )
    changed, again = one_line_changed(bare, environment)
    verify = [sys.executable, "-m", "scripts", "verify-sizes"]
    warm, start = pair(
        lambda: timed(verify, environment),
        lambda: timed([sys.executable, "-c", "pass"], environment),
    )
    matched, searched = cleanup_of_many_files()
    show(
        [
            ("make prod, nothing changed", unchanged, "docker buildx bake prod", bake),
            ("bake prod, one line of sutra-api changed", changed, "docker buildx bake prod", again),
            ("make verify-sizes, images unchanged", warm, "Python's own start", start),
            (f"cleanup rules on {FILES} files", matched, "find of the same files", searched),
        ]
    )
    return OK


def one_line_changed(bare: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Return the seconds of a build after one more line in a service, and of bare bake then."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        checkout(copy)

        def one_line() -> float:
            with (copy / CHANGED).open("a") as source:
                source.write(f"# {uuid.uuid4()}\n")
            # into the cache alone: the images of this checkout stay what they are
            return timed([*bare, "--set", "*.output=type=cacheonly"], environment, copy)

        return pair(one_line, lambda: timed(bare, environment))


def cleanup_of_many_files() -> tuple[float, float]:
    """Return the seconds that a dry run takes on FILES files, and those of `find`."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(FILES // 100):
            place = Path(folder, f"lib/python3/site-packages/p{number % 200}/s{number}")
            place.mkdir(parents=True)
            for index in range(100):
                (place / f"m{index}.{('py', 'so', 'pyi', 'h', 'txt')[index % 5]}").touch()
        shared = Path("base-images/cleanup/python.yaml").resolve()
        manifest = Path(folder, "cleanup.yaml")
        manifest.write_text(
            f"extends: [{shared}]\nrules: {{own: {{why: bench, remove: [p1/s1/]}}}}\n"
        )
        command = [sys.executable, "-m", "sutra_cleanup", "--tree", folder, "--dry-run"]
        command += ["--manifest", str(manifest)]
        environment = {**os.environ, "PYTHONPATH": "base-images/lib"}
        return pair(
            lambda: timed(command, environment),
            lambda: timed(["find", folder, "-type", "f", "-size", "+1M"], environment),
        )


def show(rows: Sequence[tuple[str, float, str, float]]) -> None:
    """Print each pair: what, its median in seconds, the peer, its median, their ratio."""
    table = Table("what", "median s", "against", "median s", "ratio", title=f"medians of {RUNS}")
    for what, seconds, against, peer in rows:
        table.add_row(what, f"{seconds:.2f}", against, f"{peer:.2f}", f"{seconds / peer:.2f}×")
    terminal.console().print(table)
