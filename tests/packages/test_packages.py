"""The fast form of `make test-packages`: packages that once broke, small ones among them."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.trial.suite import read_list
from scripts.trial.trial import try_package

LIST = Path("tests/packages/packages.tsv")


# packages with asserted docstrings, templates read by path, and usage in a docstring
@pytest.mark.parametrize("package", ["alembic", "docopt-ng"])
def test_a_package_is_whole_by_the_shared_rules(package: str) -> None:
    trial = try_package(package)
    assert (trial.ok, trial.entries, trial.broke) == (True, "", ())


def test_the_list_has_sixty_packages_by_rank() -> None:
    ranks = list(read_list(LIST).values())
    assert len(ranks) == 60
    assert ranks == sorted(set(ranks))
