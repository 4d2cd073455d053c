"""All production images of another platform, built and checked whole on this machine.

Its own Pythons are run by the emulator, which `make test-platforms` needs: half an hour of two
cores. What needs no emulator is in tests/engine/test_platform_plan.py and the unit tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import docker
import pytest

from scripts.common import platforms
from scripts.engine import emulator
from tests.conftest import ROOT

OWN = platforms.own_architecture()
(OTHER,) = {*platforms.ARCHITECTURES} - {OWN}
KNOBS = {"PLATFORMS": platforms.name_of(OTHER)}
# numpy's calls with 64-bit integers go through ilp64-shim.py, scipy's do not; both must agree
ASK = """
import json, numpy, platform, scipy.linalg
from threadpoolctl import threadpool_info
a = numpy.random.default_rng(7).standard_normal((60, 60))
b = a @ a.T + 60 * numpy.eye(60)
pairs = [
    (numpy.linalg.svd(a)[1], scipy.linalg.svdvals(a)),
    (numpy.linalg.solve(a, b), scipy.linalg.solve(a, b)),
    (numpy.linalg.eigvalsh(b), scipy.linalg.eigvalsh(b)),
    (numpy.linalg.cholesky(b), scipy.linalg.cholesky(b, lower=True)),
    (numpy.linalg.lstsq(a, b)[0], scipy.linalg.lstsq(a, b)[0]),
    (a @ b, numpy.einsum("ij,jk->ik", a, b, optimize=False)),
]
libraries = [row for row in threadpool_info() if row["internal_api"] == "openblas"]
print(json.dumps([platform.machine(), len(libraries), [numpy.allclose(*pair) for pair in pairs]]))
"""
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    if not emulator.runs(OTHER):
        pytest.skip(f"not run here: no emulator for {platforms.name_of(OTHER)}: {emulator.TIP}")
    assert command("build") == 0


def command(*words: str) -> int:
    """Run a command of scripts/ for the other platform, with its output shown."""
    environment = {**os.environ, **KNOBS}
    program = [sys.executable, "-m", "scripts", *words]
    return subprocess.run(program, cwd=ROOT, env=environment, check=False).returncode


def test_every_image_keeps_its_promises() -> None:
    assert command("verify") == 0


def test_one_openblas_serves_numpy_and_scipy_alike(client: docker.DockerClient) -> None:
    name = f"{platforms.image_name(OTHER, 'sutra-hybrid')}:prod"
    said = client.containers.run(name, ["python", "-c", ASK], remove=True)
    assert json.loads(said) == [MACHINES[OTHER], 1, [True] * 6]
