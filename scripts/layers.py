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
import sys
import threading
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

from scripts import engine, entry_cache, sources
from scripts.blobs import Layer, read_layer
from scripts.errors import SutraError
from scripts.sources import Source
from scripts.tars import DAMAGE

T = TypeVar("T")
SLOW = 2.0
CACHE = Path(".cache/layers")
# a change of how sizes are counted makes earlier figures void; so does another zlib
METHOD = f"1-zlib-{zlib.ZLIB_RUNTIME_VERSION}"


@dataclass(frozen=True)
class Measured:
    """An image as it was read: its id where it stands, and its layers in order."""

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


def measure(client: engine.Client | None, reference: str, cache: Path = CACHE) -> Measured | None:
    """Return the sizes of an image, or None when the engine does not have it.

    `reference` is anything that scripts.sources finds. Raises SutraError when the
    image changes or vanishes while it is read, for a layer that is not a tar
    stream, and when a layer's figures cannot be kept.
    """
    source = sources.find(client, reference)
    return Measured(source.id, known(source, cache), reference) if source else None


def known(source: Source, cache: Path, again: Collection[str] = ()) -> tuple[Layer, ...]:
    """Return the layers of an image, in order; what is not in the cache is read into it.

    Layers of `again` are read whether they are in the cache or not.
    """
    wanted = set(source.diff_ids)
    found = {name: layer for name in wanted - set(again) if (layer := _recall(cache, name))}
    if len(found) < len(wanted):
        for layer in _read(source, found, cache):
            found[layer.diff_id] = layer
    for diff_id in source.diff_ids:
        if diff_id not in found:
            raise SutraError(f"{source.missing}: {diff_id}", source.tip)
    return tuple(found[diff_id] for diff_id in source.diff_ids)


def _read(source: Source, found: Mapping[str, Layer], cache: Path) -> Iterator[Layer]:
    """Read the layers of an image, but for those in `found`, and keep what they hold."""
    left = len(set(source.diff_ids) - set(found))
    try:
        for blob, file in told_when_slow(source.blobs(found), f"layers: reading {left} new ones"):
            with entry_cache.writer(cache) as writer:
                layer = read_layer(file, blob, writer)
                if layer:
                    writer.keep(layer.diff_id)
                    _remember(cache, layer)
                    yield layer
    except DAMAGE as error:
        raise SutraError(f"{source.damaged}: {error}", source.tip) from error


def told_when_slow(items: Iterator[T], message: str) -> Iterator[T]:
    """Yield `items`; print `message` to stderr once, when they take longer than SLOW seconds."""
    timer = threading.Timer(SLOW, lambda: print(message, file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield from items
    finally:
        timer.cancel()


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
