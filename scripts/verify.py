"""Every check of every image, at one seam: what promotion asks before it moves a tag."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from scripts import (
    catalog,
    engine,
    growth,
    layers,
    ratchet,
    report,
    verify_contents,
    verify_runtime,
)
from scripts.catalog import Catalog
from scripts.checks import CheckResult
from scripts.errors import CHECK_FAILED, OK, run
from scripts.sizes import limits, measure


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
    """Check all images of the catalogue, each under its `:prod` tag: sizes, contents, runtime.

    `references` (name → tag or id) says what to check instead. Every check is made of
    the ids that were measured first, whatever becomes of the tags meanwhile. Raises
    SutraError for an image that is not there.
    """
    named = references or {}
    wanted = [named.get(image.name, image.reference) for image in promises.images]
    layers.read_together(client, wanted)
    measured = {
        image.name: measure.measure_one(
            client, promises, image, named.get(image.name, image.reference)
        )
        for image in promises.images
    }
    ids = {name: found.id for name, found in measured.items()}
    why = growth.since_promoted(client, promises, measured)
    results = limits.verify(promises, measured, why)
    private = verify_contents.private_certificates()
    for image in promises.images:
        identity = ids[image.name]
        results += verify_contents.verify_one(client, promises, image, identity, private=private)
        results += verify_runtime.verify_one(client, promises, image, identity, ids)
    return Verdict(tuple(results), ids)


def main() -> int:
    """Check everything and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m scripts.verify", description=__doc__)
    parser.add_argument("--format", choices=report.FORMATS, default=report.FORMATS[0])
    given = parser.parse_args()
    promises = catalog.load()
    ratchet.refuse_raises(promises)
    verdict = everything(engine.connect(), promises)
    report.show(verdict.results, given.format)
    for image in promises.images:
        own = (one for one in verdict.results if one.image == image.name and not one.ok)
        if any(one.name.startswith("contents.") for one in own):
            print(verify_contents.tip(image.name, image.reference), file=sys.stderr)
            break
    return OK if verdict.ok else CHECK_FAILED


if __name__ == "__main__":
    run(main)
