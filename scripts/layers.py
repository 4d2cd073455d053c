"""An image's layers and their sizes, the same whatever store the engine uses.

Sizes are counted from the layers' own tar streams, never from what the engine
prints: `docker images` and `.Size` change meaning with the image store. The
download size is what one fixed compressor makes of a layer, since the classic
store keeps layers uncompressed and each engine version compresses a little
differently. Each layer is read once and its figures are kept by its digest.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from scripts import engine
from scripts.blobs import DAMAGE, Layer, entries, read_layer
from scripts.errors import SutraError

CACHE = Path(".cache/layers")
# a change of how sizes are counted makes earlier figures void; so does another zlib
METHOD = f"1-zlib-{zlib.ZLIB_RUNTIME_VERSION}"


@dataclass(frozen=True)
class Measured:
    """An image as it was read: the engine's id of it, and its layers in order."""

    id: str
    layers: tuple[Layer, ...]

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


def measure(client: engine.Client, reference: str, cache: Path = CACHE) -> Measured | None:
    """Return the sizes of an image, or None when the engine does not have it.

    Raises SutraError when the image changes or vanishes while it is read, for a
    layer that is not a tar stream, and when a layer's figures cannot be kept.
    """
    known = engine.inspect(client, reference)
    if known is None:
        return None
    wanted = list(known["RootFS"].get("Layers") or [])
    found = {diff_id: layer for diff_id in wanted if (layer := _recall(cache, diff_id))}
    if len(found) < len(set(wanted)):
        read = _read_image(client, known["Id"], {layer.blob for layer in found.values()} - {""})
        for layer in read:
            found[layer.diff_id] = layer
            _remember(cache, layer)
    missing = [diff_id for diff_id in wanted if diff_id not in found]
    if missing:
        raise SutraError(
            f'engine: layer missing from "{reference}": {missing[0]}', "build the image again"
        )
    return Measured(known["Id"], tuple(found[diff_id] for diff_id in wanted))


def _read_image(client: engine.Client, identity: str, skip: set[str]) -> list[Layer]:
    """Read all layers of `docker save`, but for the blobs in `skip`."""
    layers = []
    try:
        with engine.saved(client, identity) as stream:
            for member, archive in entries(stream):
                # before version 25 engines saved `<id>/layer.tar`
                is_blob = member.name.startswith("blobs/") or member.name.endswith("/layer.tar")
                blob = "sha256:" + member.name.rpartition("/")[2]
                blob = blob if member.name.startswith("blobs/") else ""  # no digest in its name
                if not member.isreg() or not is_blob or blob in skip:
                    continue
                file = archive.extractfile(member)
                if file and (layer := read_layer(file, blob)):
                    layers.append(layer)
    except DAMAGE as error:
        raise SutraError(
            f'engine: archive of "{identity}" is damaged: {error}', "build the image again"
        ) from error
    return layers


def _place(cache: Path, diff_id: str) -> Path:
    return cache / METHOD / (diff_id.rpartition(":")[2] + ".json")


def _recall(cache: Path, diff_id: str) -> Layer | None:
    """Return the layer's figures from an earlier reading; a damaged file counts as none."""
    try:
        layer = Layer(**json.loads(_place(cache, diff_id).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    whole = isinstance(layer.installed, int) and isinstance(layer.download, int)
    return layer if whole and layer.diff_id == diff_id else None


def _remember(cache: Path, layer: Layer) -> None:
    place = _place(cache, layer.diff_id)
    partial = place.with_suffix(f".{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(asdict(layer)))
        partial.rename(place)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise SutraError(
            f'layers: cannot write "{place}": {error.strerror}', "free some space (`df -h .`)"
        ) from error
