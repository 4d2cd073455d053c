"""The packages' own tests and linters, in the builders that make their images."""

from __future__ import annotations

import subprocess
import sys

import docker

from tests.conftest import ROOT


def test_the_packages_own_tests_pass(client: docker.DockerClient) -> None:
    """BuildKit runs them once for each state of a package, and caches the success.

    All at once, as `make verify` does; the error names the step that failed, of which image.
    """
    done = subprocess.run(
        [sys.executable, "-m", "scripts", "build", "test"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-5000:]
