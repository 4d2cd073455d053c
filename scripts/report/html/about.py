"""What the report tells of an image in words: changes, where it comes from, licences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.catalog.catalog import Catalog, Image
from scripts.checks.sizes import growth
from scripts.common.errors import SutraError
from scripts.engine import client as engine
from scripts.image import inventory
from scripts.image.inventory import Inventory
from scripts.report.html import licences, provenance, since_promoted
from scripts.report.html.provenance import Fact
from scripts.report.html.since_promoted import Since
from scripts.sbom.components import Bill


@dataclass(frozen=True)
class About:
    """What is no figure of a budget."""

    since: Since
    provenance: tuple[Fact, ...]
    licences: str


def read(
    client: engine.Client, promises: Catalog, ids: Mapping[str, str], cache: Path
) -> dict[str, Inventory]:
    """Return every image by name. Raises SutraError for one that is no longer there."""
    return {
        image.name: _content_of(client, image, ids[image.name], cache) for image in promises.images
    }


def _content_of(client: engine.Client, image: Image, identity: str, cache: Path) -> Inventory:
    content = inventory.read(client, identity, cache)
    if content is None:
        raise SutraError(f'engine: image no longer exists "{image.reference}"', "run `make build`")
    return content


def of(
    client: engine.Client,
    promises: Catalog,
    image: Image,
    built: Mapping[str, Inventory],
    bill: Bill,
    cache: Path,
) -> About:
    """Return all of one image; `built` are those that were checked, by name."""
    content = built[image.name]
    base = built.get(growth.base_of(promises, content))
    return About(
        since_promoted.of(client, image, content, base, cache),
        provenance.of(content, base),
        licences.summary(bill),
    )
