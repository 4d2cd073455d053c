"""Test differences between Pythons on those of Debian's releases; `make test-pythons` runs all."""

from __future__ import annotations

import pytest

from tests.pythons import debian

# modules that parse messages of the standard library: archives, dates, processes
FAST = (
    "tests/unit/cleanup/test_manifest.py",
    "tests/unit/common",
    "tests/unit/image/test_hostile_layers.py",
    "tests/unit/oci/test_docker_archive.py",
)


# `make test` runs the newest alone
@pytest.mark.parametrize(
    "suite",
    [
        *(pytest.param(suite, marks=pytest.mark.long) for suite in debian.SUITES[:-1]),
        debian.SUITES[-1],
    ],
)
def test_what_differs_between_pythons(suite: str, capfd: pytest.CaptureFixture[str]) -> None:
    code = debian.run(suite, FAST)
    said = capfd.readouterr().out
    assert code == 0, said[-3000:]
    assert " passed in " in said
    assert "failed" not in said


@pytest.mark.long
@pytest.mark.parametrize("suite", debian.SUITES)
def test_all_unit_tests(suite: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert debian.run(suite, ["tests/unit"]) == 0, capfd.readouterr().out[-3000:]
