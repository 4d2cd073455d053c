"""The packages' own tests and linters, each in the builder that makes its image."""

from __future__ import annotations

import subprocess
import sys

import docker
import pytest

from tests.conftest import ROOT
from tests.support.names import SERVICES


@pytest.mark.parametrize("image", SERVICES)
def test_the_packages_own_tests_pass(client: docker.DockerClient, image: str) -> None:
    """BuildKit runs them once for each state of the package, and caches the success."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts", "build", f"{image}-test"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-5000:]
