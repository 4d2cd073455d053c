"""Check only sizes: tests of how tags move have images of a few bytes.

What the other checks find is tested where they are.
"""

from __future__ import annotations

from collections.abc import Mapping

from scripts.catalog.catalog import Catalog
from scripts.checks import package_tests
from scripts.checks.gate import Verdict, references_of
from scripts.checks.sizes import budgets, measure
from scripts.engine import client as engine


def everything(
    client: engine.Client,
    promises: Catalog,
    references: Mapping[str, str] | None = None,
    tests: package_tests.Plan = package_tests.NONE,
) -> Verdict:
    """Return a verdict of the shape that `gate.everything` has."""
    wanted = references_of(promises, references or {})
    measured = {
        image.name: measure.measure_one(client, promises, image, wanted[image.name])
        for image in promises.images
        if image.name in wanted
    }
    ids = {name: image.id for name, image in measured.items()}
    return Verdict(tuple(budgets.verify(promises, measured)), ids)
