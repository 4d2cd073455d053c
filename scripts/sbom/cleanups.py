"""The cleanups that an image has had, by the reports that it carries."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.catalog.cleanup_manifests import BASE, BASE_MANIFEST, find_manifest
from scripts.common.errors import SutraError
from scripts.image.inventory import Inventory
from scripts.sbom.left_parts import plain

REPORT = re.compile(r"usr/share/sutra/[^/]+\.json")
BASE_REPORT = "usr/share/sutra/cleanup-base.json"


@dataclass(frozen=True)
class Cleanup:
    """One cleanup of an image: its report, the tree that it cleaned, and its manifest.

    `image` is the one whose build cleaned it: that image, or the base below it.
    """

    report: str
    image: str
    tree: str
    rules: dict[str, Any]
    stand_ins: frozenset[str]
    manifest: Path | None


def cleanups(image: Inventory, name: str) -> Iterator[Cleanup]:
    """Yield the cleanups whose reports the image carries. Raises SutraError for a damaged one."""
    for path in sorted(filter(REPORT.fullmatch, image.texts)):
        try:
            report = json.loads(image.texts[path])
            is_base = path == BASE_REPORT
            yield Cleanup(
                path,
                BASE if is_base else name,
                str(report["tree"]).strip("/"),
                dict(report.get("rules", {})),
                frozenset(plain(stand_in) for stand_in in report.get("stand_ins", ())),
                BASE_MANIFEST if is_base else find_manifest(name),
            )
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise SutraError(
                f'{name}: report of a cleanup cannot be read "{path}"', "run `make build`"
            ) from error
