"""`make attest` with the newest BuildKit: it runs our generator, and attaches what it writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import buildkit, matrix
from tests.engines.machine import SOURCE, Done, Machine
from tests.support import registries

NAME = "sutra-base-rust-runtime"
ADDRESS = "127.0.0.1:5000"
GENERATOR = "scripts/sbom/generator.py"
# a folder of the machine
REGISTRY = "/tmp/registry"
CONFIG = registries.settings(ADDRESS, Path(REGISTRY))
INSTALL = "apt-get -q update && apt-get -q -y --no-install-recommends install docker-registry"


@pytest.fixture(scope="module")
def machine(newest: Machine) -> Iterator[Machine]:
    """The machine with a separate BuildKit, and a registry on its loopback."""
    done = newest.run("bash", "-ec", INSTALL)
    assert done.code == 0, done.text[-3000:]
    newest.put("/etc", {"registry.json": json.dumps(CONFIG).encode()})
    with newest.engine(containerd_store=True):
        newest.start("docker-registry", "serve", "/etc/registry.json")
        newest.wait("docker-registry", "python3", "-c", ask("/v2/"))
        buildkit.start(newest)
        yield newest
        buildkit.stop(newest)
        newest.stop("docker-registry")


def ask(path: str) -> str:
    """Return a program that prints what the registry answers."""
    return f"import urllib.request as u; print(u.urlopen('http://{ADDRESS}{path}').read().decode())"


def attest(machine: Machine) -> Done:
    command = (*matrix.PYTHON, "attest", NAME, "--registry", f"{ADDRESS}/me")
    return machine.run(*command, BUILDER=buildkit.BUILDER)


def manifests(machine: Machine, kind: str) -> list[str]:
    """Return the paths of what the registry keeps of "revisions" or "tags".

    Its API answers 404 both for a repository without tags and for one that it does not have.
    """
    done = machine.run("find", REGISTRY, "-path", f"*/_manifests/{kind}/*", "-name", "link")
    assert done.code == 0, done.text
    return done.text.splitlines()


@pytest.mark.long
def test_the_bill_that_buildkit_attaches_is_that_of_the_image(machine: Machine) -> None:
    done = attest(machine)
    assert done.code == 0, done.text[-3000:]
    line = done.text.splitlines()[-1]
    assert line.startswith(f"{ADDRESS}/me/{NAME}@sha256:")
    assert line.endswith(": SPDX of 5 packages attached")  # the Dockerfile names them
    assert any(f"/me/{NAME}/" in path for path in manifests(machine, "revisions"))
    assert manifests(machine, "tags") == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("death", "problem"),
    [
        ("raise OSError('no more')", "build: sbom generator: OSError: no more"),
        # exit code of what is killed from outside: itself, the first process, it cannot kill
        ("os._exit(137)", 'build: step failed "'),
        (
            "return OK",
            f'attest: no bills of materials are attached to "{ADDRESS}/me/{NAME}@sha256:',
        ),
    ],
)
def test_a_generator_that_dies_ends_the_build_and_tags_nothing(
    machine: Machine, death: str, problem: str
) -> None:
    whole = machine.run("cat", GENERATOR).text
    changed = whole.replace("    try:\n", f"    try:\n        {death}\n", 1)
    machine.put(SOURCE, {GENERATOR: changed.encode()})
    try:
        done = attest(machine)
    finally:
        machine.put(SOURCE, {GENERATOR: whole.encode()})
    assert done.code == 2
    lines = done.text.splitlines()
    assert lines[-2].startswith(problem), done.text[-3000:]
    assert lines[-1].startswith("tip: ")
    assert "Traceback" not in "\n".join(lines[-2:])
    assert manifests(machine, "tags") == []
