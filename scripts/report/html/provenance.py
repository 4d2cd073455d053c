"""Where an image comes from, by its own labels: commit, time, version, and what it is built on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scripts.common.labels import BASE_DIGEST, BASE_NAME, CREATED, REVISION, ROOT, VERSION
from scripts.image.inventory import Inventory
from scripts.report.html.breakdown import shown

NOT_RECORDED = "not recorded"


@dataclass(frozen=True)
class Fact:
    """What a label says, in one printable line."""

    name: str
    value: str


def of(image: Inventory, base: Inventory | None = None) -> tuple[Fact, ...]:
    """Return the facts of an image; `base` is the one here that it may be built on."""
    return tuple(Fact(name, shown(value) or NOT_RECORDED) for name, value in _facts(image, base))


def _facts(image: Inventory, base: Inventory | None) -> Iterator[tuple[str, str]]:
    labels = image.labels
    yield "image id", image.id
    yield "commit", labels.get(REVISION, "")
    yield "created", labels.get(CREATED) or str(image.config.get("created") or "")
    yield "version", labels.get(VERSION, "")
    yield "base", labels.get(BASE_NAME, "")
    yield "base digest", labels.get(BASE_DIGEST) or _by_layers(image, base)
    yield "root image", labels.get(ROOT, "")


def _by_layers(image: Inventory, base: Inventory | None) -> str:
    """Return the id of `base` where the image begins with its layers."""
    if base is None:
        return ""
    layers = [layer.diff_id for layer in base.layers]
    begins = [layer.diff_id for layer in image.layers[: len(layers)]] == layers
    return f"{base.id}, by its layers" if begins and layers else ""
