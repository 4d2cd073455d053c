"""A small graph on the newest engine, by its own buildx and Python, as part of `make test`.

`make test-engines` builds the product itself, and on more engines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import matrix
from tests.engines.machine import SOURCE, Done, Machine, commit

SMALL = Path(__file__).parent / "small"
FOLDER = "/small"


@pytest.fixture(scope="module", params=[True, False], ids=["containerd", "classic"])
def machine(newest: Machine, request: pytest.FixtureRequest) -> Iterator[Machine]:
    """The machine with its engine on one of its stores, and the small project in a folder."""
    newest.run("rm", "-rf", FOLDER, folder="/")
    files = {path.name: path for path in SMALL.iterdir()}
    newest.put(FOLDER, {**files, ".gitignore": b".cache\n.build\n"})
    newest.run("ln", "-s", f"{SOURCE}/.cache", ".cache", folder=FOLDER)
    commit(newest, FOLDER)
    with newest.engine(containerd_store=request.param):
        yield newest


@pytest.fixture(scope="module")
def prod(machine: Machine) -> Done:
    """Return the product's output when it builds the small project."""
    return product(machine, "prod")


def product(machine: Machine, *words: str) -> Done:
    search = f"{SOURCE}:{SOURCE}/base-images/lib"
    return machine.run(
        f"{SOURCE}/{matrix.PYTHON[0]}", *matrix.PYTHON[1:], *words, folder=FOLDER, PYTHONPATH=search
    )


def test_it_is_newer_than_what_the_machine_has(machine: Machine) -> None:
    """BuildKit 0.22, of Docker 28.1, was the first that failed where 26.1 did not."""
    version = machine.run(*matrix.VERSIONS["engine"]).text
    assert tuple(map(int, version.split("+")[0].split("."))) >= (28, 1)


def test_everything_is_built_verified_and_promoted(prod: Done) -> None:
    assert prod.code == 0, prod.text[-5000:]
    assert "promoted sutra-test-hello:latest: (none) → " in prod.text


def test_the_service_is_started_and_all_of_it_measured(prod: Done) -> None:
    for check in ("ready", "memory", "stop"):
        assert re.search(rf"│ sutra-test-hello +│ {check} +│ +[\d.]+ (s|MB) │ .* ok +│", prod.text)


def test_what_is_promoted_is_not_made_again(machine: Machine, prod: Done) -> None:
    again = product(machine, "prod")
    assert again.code == 0, again.text[-5000:]
    assert "promoted already, by line 1 of " in again.text


def test_a_step_that_fails_is_one_line_and_a_tip(machine: Machine, prod: Done) -> None:
    machine.run("sed", "-i", "s|hello.sh /proof/|no.sh /proof/|", "Dockerfile", folder=FOLDER)
    done = product(machine, "build")
    assert done.code == 2
    lines = done.text.splitlines()
    assert lines[-2].startswith('build: step failed "')
    assert '"/no.sh": not found' in lines[-2]
    assert lines[-1].startswith("tip: ")
