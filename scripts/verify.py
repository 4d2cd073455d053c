"""Every check of every image, at one seam: what promotion asks before it moves a tag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scripts import engine, verify_sizes
from scripts.catalog import Catalog
from scripts.checks import CheckResult


@dataclass(frozen=True)
class Verdict:
    """All results, and the engine's id of what was checked, by the image's name."""

    results: tuple[CheckResult, ...]
    ids: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(result.ok for result in self.results)


def everything(
    client: engine.Client, promises: Catalog, references: Mapping[str, str] | None = None
) -> Verdict:
    """Check all images of the catalogue, each under its `:prod` tag.

    `references` (name → tag or id) says what to check instead. Raises SutraError for an
    image that is not there.
    """
    named = references or {}
    measured = {
        image.name: verify_sizes.measure_one(
            client, promises, image, named.get(image.name, image.reference)
        )
        for image in promises.images
    }
    results = verify_sizes.verify(promises, measured)
    return Verdict(tuple(results), {name: found.id for name, found in measured.items()})
