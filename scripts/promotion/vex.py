"""The statements of vex.yaml: derived at each promotion, kept with it or not at all.

`.build/vex/promoted/NUMBER/NAME.openvex.json` are those of one promotion. They are written once
its intent is, and go where the promotion is taken back.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.catalog.catalog import Catalog
from scripts.common import files
from scripts.common.errors import DiskError
from scripts.engine import client as engine
from scripts.image import inventory
from scripts.sbom import vex_requests
from scripts.sbom.vex_requests import FILE

FOLDER = Path(".build/vex/promoted")
ENDING = ".openvex.json"


@dataclass(frozen=True)
class Derived:
    """Documents by image; where `problems` are, no statement of the promotion is kept."""

    documents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    tip: str = ""


def derive(client: engine.Client, promises: Catalog, ids: Mapping[str, str]) -> Derived:
    """Return what holds of the images by id. Raises SutraError for a wrong vex.yaml or report."""
    requests = vex_requests.read(promises)
    documents, refusals = {}, []
    image_keys = {request.image for request in requests}
    for described in sorted(promises.images, key=lambda described: described.name):
        if described.key not in image_keys:
            continue
        image = inventory.read(client, ids[described.name])
        if image is None:
            raise promises.not_built(described, ids[described.name])
        documents[described.name], fallen = vex_requests.derive(requests, image, described.key)
        refusals += fallen
    if not refusals:
        return Derived(documents)
    tip = f"take it out of {FILE}, or bring the rule back; {refusals[0].tip}"
    return Derived({}, tuple(refusal.message for refusal in refusals), tip)


def keep(number: int, documents: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the documents of a promotion, in place of others of the same number."""
    forget(number)
    for name, document in documents.items():
        text = json.dumps(document, indent=1) + "\n"
        files.write(_place(number) / f"{name}{ENDING}", text, "vex", f"`ls -ld {FOLDER}` says more")


def forget(number: int) -> None:
    """Remove what was written for a promotion that is taken back, and folders without others."""
    try:
        shutil.rmtree(_place(number))
    except FileNotFoundError:
        return
    except OSError as error:
        raise DiskError(
            f'vex: cannot remove "{_place(number)}": {error.strerror}', f"`ls -ld {FOLDER}`"
        ) from error
    for folder in (FOLDER, FOLDER.parent):
        with suppress(OSError):  # others are in it
            folder.rmdir()


def _place(number: int) -> Path:
    return FOLDER / str(number)
