"""Sizes of all images by layer and owner, as a record that outlives the images."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from scripts.common.check_result import RELEASE
from scripts.image.inventory import Inventory
from scripts.image.package_owners import Owner

FORM = 1
MARK = 16
# bytes that no layer has; more cannot be shown as a float
LARGEST = 1 << 60
# characters of a foreign value in a message
SHOWN = 100


@dataclass(frozen=True)
class Part:
    """One owner's part of a layer: bytes, and a mark that changes with any of its files."""

    kind: str
    name: str
    version: str
    bytes: int
    mark: str


@dataclass(frozen=True)
class Layer:
    """A layer's sizes in bytes, and whose they are."""

    installed: int
    download: int
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Sizes:
    """Layers by diff_id, and those of each image in order; `bases` are the base's own."""

    layers: Mapping[str, Layer]
    images: Mapping[str, tuple[str, ...]]
    bases: frozenset[str] = frozenset()

    def of(self, name: str) -> list[str]:
        """Return the diff_ids of an image, or of the release: what images share once."""
        if name != RELEASE:
            return list(self.images[name])
        return list(dict.fromkeys(diff_id for ids in self.images.values() for diff_id in ids))

    def total(self, name: str, size: str) -> int:
        """Return the bytes of an image or of the release; `size` is "installed" or "download"."""
        return sum(getattr(self.layers[diff_id], size) for diff_id in self.of(name))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The images in order, and the release."""
        return (*self.images, RELEASE)


def of(images: Mapping[str, Inventory], bases: Iterable[str]) -> Sizes:
    """Return the sizes of images by name; `bases` are the names of those that others build on."""
    layers: dict[str, Layer] = {}
    for image in images.values():
        for number, layer in enumerate(image.layers):
            if layer.diff_id not in layers:
                parts = _parts(image, number)
                layers[layer.diff_id] = Layer(layer.installed, layer.download, parts)
    named = {name: tuple(layer.diff_id for layer in image.layers) for name, image in images.items()}
    owned = frozenset(diff_id for name in bases for diff_id in named.get(name, ()))
    return Sizes(layers, named, owned)


def _parts(image: Inventory, number: int) -> tuple[Part, ...]:
    owners = image.owners()
    sizes: dict[Owner, int] = defaultdict(int)
    marks: dict[Owner, Any] = defaultdict(hashlib.sha256)
    for entry in sorted(image.layers[number].entries, key=lambda entry: entry.path):
        if entry.kind == "file":
            owner = owners[entry.path]
            sizes[owner] += entry.size
            marks[owner].update(f"{entry.path}\0{entry.digest}\0".encode())
    return tuple(
        Part(owner.kind, owner.name, owner.version, size, marks[owner].hexdigest()[:MARK])
        for owner, size in sorted(sizes.items())
    )


def as_text(sizes: Sizes) -> str:
    """Return a record as JSON, the same for the same sizes."""
    layers = {name: asdict(layer) for name, layer in sizes.layers.items()}
    content = {"form": FORM, "layers": layers, "images": sizes.images, "bases": sorted(sizes.bases)}
    return json.dumps(content, indent=1) + "\n"


def parse(text: str) -> Sizes:
    """Return the record in `text`. Raises ValueError for anything that is not one."""
    try:
        content = json.loads(text)
        if content["form"] != FORM:
            raise ValueError(f'unknown form "{str(content["form"])[:SHOWN]}"')
        layers = {
            name: Layer(_bytes(layer["installed"]), _bytes(layer["download"]), _read_parts(layer))
            for name, layer in content["layers"].items()
        }
        images = {name: tuple(_list(ids)) for name, ids in content["images"].items()}
        sizes = Sizes(layers, images, frozenset(_list(content["bases"])))
        if not {diff_id for ids in images.values() for diff_id in ids} <= set(layers):
            raise ValueError("a layer is missing")
        if any(
            layer.installed != sum(part.bytes for part in layer.parts) for layer in layers.values()
        ):
            raise ValueError("the parts of a layer do not add up to it")
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("a field is missing or of another type") from error
    return sizes


def _read_parts(layer: Mapping[str, object]) -> tuple[Part, ...]:
    parts = tuple(Part(**part) for part in _list(layer["parts"]))
    for part in parts:
        _bytes(part.bytes)
        words = (part.kind, part.name, part.version, part.mark)
        if not all(isinstance(word, str) for word in words):
            raise TypeError("part")
    return parts


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):  # a text is iterable, too
        raise TypeError("list")
    return value


def _bytes(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < LARGEST:
        raise TypeError("bytes")
    return value
