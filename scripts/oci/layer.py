"""A layer and its sizes, and an image as the layers that it has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Layer:
    """One layer: its digest uncompressed, and its sizes in bytes.

    `blob` is the digest of the bytes as they were stored: that of a plain one is its diff_id.
    """

    diff_id: str
    blob: str
    installed: int
    download: int


@dataclass(frozen=True)
class Measured:
    """An image as it was read: its id in its source, and its layers in order."""

    id: str
    layers: tuple[Layer, ...]
    reference: str = field(default="", compare=False)

    @property
    def installed(self) -> int:
        """Bytes of all files in all layers, unpacked."""
        return sum(layer.installed for layer in self.layers)

    @property
    def download(self) -> int:
        """Bytes of all layers, compressed."""
        return sum(layer.download for layer in self.layers)


def shared_once(images: Iterable[Measured]) -> tuple[Layer, ...]:
    """Return the layers of all `images`, each once: what the release as a whole holds."""
    return tuple({layer.diff_id: layer for image in images for layer in image.layers}.values())
