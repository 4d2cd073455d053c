"""Run the product on every engine of the matrix, and return the results.

All images but the hybrid are built, by the product's own commands: it brings minutes of
compiling and no step that the API has not.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import docker

from tests.engines import buildkit
from tests.engines.machine import SOURCE, Machine, commit, machine
from tests.support import programs

PYTHON = (".venv/bin/python", "-m", "scripts")
STEPS: Mapping[str, tuple[str, ...]] = {
    "bases": (*PYTHON, "build", "bases"),
    "api": (*PYTHON, "build", "sutra-api"),
    "storage": (*PYTHON, "build", "sutra-storage-server"),
    "sizes": (*PYTHON, "verify-sizes"),
    "contents": (*PYTHON, "verify-contents"),
    "runtime": (*PYTHON, "verify-runtime"),
    "promote": (*PYTHON, "promote"),
    "make prod": ("./build-prod.sh",),
}
VERSIONS: Mapping[str, tuple[str, ...]] = {
    "engine": ("docker", "version", "--format", "{{.Server.Version}}"),
    "store": ("docker", "info", "--format", "{{.Driver}}"),
    "buildx": ("sh", "-c", "docker buildx version | cut -d' ' -f2"),
    "BuildKit": ("sh", "-c", "docker buildx inspect | sed -n 's/^BuildKit version: *//p'"),
    "Python": ("sh", "-c", "python3 --version | cut -d' ' -f2"),
}
# program that takes the hybrid out of the graph and of the promises
WITHOUT_HYBRID = programs.text("without_hybrid")


@dataclass(frozen=True)
class Row:
    """One engine of the matrix: the Debian release it comes from, its store, its builder."""

    suite: str
    containerd_store: bool
    builder: str = ""

    @property
    def name(self) -> str:
        """Return what the row is called in the results."""
        store = "containerd" if self.containerd_store else "classic"
        return f"{self.suite} {store} {self.builder or 'own'}"


ROWS = (
    Row("trixie", True),
    Row("trixie", False),
    Row("forky", True),
    Row("forky", False),
    Row("forky", True, "remote"),
    Row("forky", False, "remote"),
)


@dataclass(frozen=True)
class Result:
    """The result of a row: versions by name, and per step "ok" or the line that says why not."""

    versions: dict[str, str]
    steps: dict[str, str]
    seconds: dict[str, int] = field(default_factory=dict)
    at: str = ""

    @property
    def ok(self) -> bool:
        """Return whether every step was run and passed."""
        return list(self.steps) == list(STEPS) and set(self.steps.values()) == {"ok"}

    def as_json(self) -> dict[str, Any]:
        """Return it for the results file."""
        return asdict(self)


def run(client: docker.DockerClient, row: Row) -> Result:
    """Run every step of a row on its own machine."""
    with machine(client, row.suite) as host, host.engine(row.containerd_store):
        prepare(host)
        # the packages' own tests are the same on every engine
        environment = {"TESTS": "skip"}
        if row.builder:
            buildkit.start(host)
            environment["BUILDER"] = buildkit.BUILDER
        versions = {
            name: host.run(*command, BUILDX_BUILDER=environment.get("BUILDER", "")).text.strip()
            for name, command in VERSIONS.items()
        }
        say(f"{row.name}: {versions}")
        steps, seconds = {}, {}
        for name, command in STEPS.items():
            started = time.monotonic()
            done = host.run(*command, **environment)
            seconds[name] = round(time.monotonic() - started)
            steps[name] = "ok" if done.code == 0 else reason(done.text)
            say(f"{row.name}: {name}: {steps[name]} ({seconds[name]} s)")
            if done.code:
                print(done.text[-4000:], file=sys.stderr, flush=True)
        return Result(versions, steps, seconds, datetime.now(UTC).strftime("%Y-%m-%d"))


def prepare(host: Machine) -> None:
    """Make the environment of the product, and a clean commit without the hybrid."""
    for command in (("scripts/venv.sh",), (PYTHON[0], "-c", WITHOUT_HYBRID)):
        done = host.run(*command)
        assert done.code == 0, done.text
    commit(host, SOURCE)


def reason(text: str) -> str:
    """Return the line before the tip: what the product says of a failure."""
    lines = [line for line in text.splitlines() if line.strip()]
    tips = [at for at, line in enumerate(lines) if line.startswith("tip: ")]
    return lines[tips[-1] - 1] if tips and tips[-1] else (lines or ["it said nothing"])[-1]


def say(line: str) -> None:
    """Print a line of progress."""
    print(f"engines: {line}", file=sys.stderr, flush=True)
