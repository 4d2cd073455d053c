"""The packages' own tests and linters, in the builders that make their images."""

from __future__ import annotations

import subprocess
import sys

import docker
import pytest

from tests.conftest import ROOT


# `test` is the group of all, built as one, as a promotion does; its error names the step that
# failed. Compiling the storage's tests takes minutes where nothing is cached.
@pytest.mark.parametrize("target", ["sutra-api-test", pytest.param("test", marks=pytest.mark.long)])
def test_the_packages_own_tests_pass(client: docker.DockerClient, target: str) -> None:
    """BuildKit runs them once for each state of a package, and caches the success."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts", "build", target],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-5000:]
