"""Every check of every image, at one seam: what promotion asks before it moves a tag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scripts.catalog.catalog import Catalog
from scripts.checks import package_tests
from scripts.checks.contents import verify as verify_contents
from scripts.checks.runtime import verify as verify_runtime
from scripts.checks.sizes import budgets, fresh, growth, measure
from scripts.common import durations
from scripts.common.check_result import CheckResult
from scripts.engine import client as engine
from scripts.image import read_layers


@dataclass(frozen=True)
class Verdict:
    """All results, and the engine's id of what was checked, by the image's name."""

    results: tuple[CheckResult, ...]
    ids: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """Return whether every check passed."""
        return all(result.ok for result in self.results)


def everything(
    client: engine.Client,
    promises: Catalog,
    references: Mapping[str, str] | None = None,
    tests: package_tests.Plan = package_tests.NONE,
) -> Verdict:
    """Check all images of the catalogue, each under its `:prod` tag: sizes, contents, runtime.

    `references` (name → tag or id) says what to check instead, those images alone. Every
    check is made of the ids that were measured first, whatever becomes of the tags meanwhile.
    The packages' `tests` run beside the checks. Raises SutraError for an image that is not
    there.
    """
    with package_tests.running(tests) as run:
        with durations.step("verify"):
            verdict = _of_images(client, promises, references or {})
        with durations.step("packages' tests, the rest of them"):
            return Verdict((*verdict.results, *run.results()), verdict.ids)


def references_of(promises: Catalog, named: Mapping[str, str]) -> dict[str, str]:
    """Return what to check by name: `named` where there is any, else every image's own tag."""
    return {
        image.name: named.get(image.name, image.reference)
        for image in promises.images
        if not named or image.name in named
    }


def _of_images(client: engine.Client, promises: Catalog, named: Mapping[str, str]) -> Verdict:
    """Check the images themselves."""
    references = references_of(promises, named)
    read_layers.read_together(client, list(references.values()))
    measured = {
        image.name: measure.measure_one(client, promises, image, references[image.name])
        for image in promises.images
        if image.name in references
    }
    ids = {name: sizes.id for name, sizes in measured.items()}
    why = growth.since_promoted(client, promises, measured)
    results = budgets.verify(promises, measured, why)
    results += fresh.verify(promises, results)
    private = verify_contents.private_certificates()
    for image in (image for image in promises.images if image.name in ids):
        identity = ids[image.name]
        results += verify_contents.verify_one(client, promises, image, identity, private=private)
        results += verify_runtime.verify_one(client, promises, image, identity, ids)
    return Verdict(tuple(results), ids)
