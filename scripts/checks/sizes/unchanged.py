"""Checks of images that are as they were when they were last read, in a fraction of a second.

The `docker` command says which images these are: importing Docker's SDK takes longer than
all that is asked and checked here. Whatever is new, missing or wrong is left to
`scripts.checks.sizes.measure`, which reads it, or says what is wrong. The engine's version is not
asked for: figures are those of an image that an engine of a good version gave.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from scripts.catalog.catalog import Catalog
from scripts.checks.sizes.budgets import verify
from scripts.common.check_result import CheckResult
from scripts.image.size_cache import CACHE, kept
from scripts.oci.layer import Measured

# a line an image, in the order in which they were asked for
FORM = '{"id": {{json .Id}}, "diff_ids": {{json .RootFS.Layers}}}'
# seconds; an engine that takes longer is asked again, and waited for, by the SDK
PATIENCE = 10


def verified(promises: Catalog, cache: Path = CACHE) -> list[CheckResult] | None:
    """Return the checks of all images where all is known and within its budget, else None."""
    inspected = _inspected([image.reference for image in promises.images])
    if len(inspected) != len(promises.images):
        return None
    measured = {}
    for image, (identity, diff_ids) in zip(promises.images, inspected, strict=True):
        layers = kept(identity, diff_ids, None, cache)
        if not layers:
            return None
        measured[image.name] = Measured(identity, layers, image.reference)
    results = verify(promises, measured)
    return results if all(result.ok for result in results) else None


def _inspected(references: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Return id and diff_ids of each image; none where not all of them are there."""
    command = ["docker", "image", "inspect", "--format", FORM, *references]
    try:
        inspected = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=True
        )
        lines = [json.loads(line) for line in inspected.stdout.splitlines()]
        return [(str(image["id"]), list(map(str, image["diff_ids"]))) for image in lines]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return []
