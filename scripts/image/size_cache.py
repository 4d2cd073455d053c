"""On-disk cache of layer sizes, by the digest of the stored bytes.

The same layer, packed elsewhere, is another download. Nothing here reads an image.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path

from zlib_ng import zlib_ng

from scripts.common import files
from scripts.common.reference import digits
from scripts.oci.layer import Layer

CACHE = Path(".cache/layers")
# a change of how sizes are counted makes earlier figures void; so does another zlib-ng
METHOD = f"4-zlib-ng-{zlib_ng.ZLIBNG_VERSION}"
# suffix of the file that records an image's blob digests; the engine's API does not expose them
STORED = ".blobs"


def kept(
    identity: str, diff_ids: Sequence[str], stored: Sequence[str] | None, cache: Path
) -> tuple[Layer, ...] | None:
    """Return the layers of an image, in order; None where the cache has not all of them.

    `stored` are the digests of its layers as its manifest has them; None: those that were
    found when the image of that id was read.
    """
    layers = recalled(diff_ids, stored or recall_stored(cache, identity), cache)
    if len(layers) < len(set(diff_ids)):
        return None
    return tuple(layers[diff_id] for diff_id in diff_ids)


def recalled(
    diff_ids: Sequence[str], stored: Sequence[str], cache: Path, again: Collection[str] = ()
) -> dict[str, Layer]:
    """Return the layers that are in the cache by diff_id, but for those of `again`."""
    return {
        diff_id: layer
        for diff_id, blob in dict(zip(diff_ids, stored, strict=False)).items()
        if diff_id not in again and (layer := recall(cache, blob)) and layer.diff_id == diff_id
    }


def _place(cache: Path, digest: str, suffix: str = ".json") -> Path:
    return cache / METHOD / (digits(digest) + suffix)


def recall(cache: Path, blob: str) -> Layer | None:
    """Return the layer's figures from an earlier reading; a damaged file counts as none."""
    try:
        layer = Layer(**json.loads(_place(cache, blob).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    has_sizes = isinstance(layer.installed, int) and isinstance(layer.download, int)
    return layer if has_sizes and isinstance(layer.diff_id, str) and layer.blob == blob else None


def recall_stored(cache: Path, identity: str) -> list[str]:
    """Return the blobs of an image that was read before, in order; else none."""
    try:
        blobs = json.loads(_place(cache, identity, STORED).read_text())
    except (OSError, ValueError):
        return []
    return blobs if isinstance(blobs, list) and all(isinstance(blob, str) for blob in blobs) else []


def remember(cache: Path, layer: Layer) -> None:
    """Keep a layer's figures. Raises SutraError when they cannot be written."""
    _keep(_place(cache, layer.blob), asdict(layer))


def remember_stored(cache: Path, identity: str, blobs: Sequence[str]) -> None:
    """Keep which blobs an engine's image has, in order. Raises as `remember` does."""
    _keep(_place(cache, identity, STORED), blobs)


def _keep(place: Path, content: object) -> None:
    files.write(place, json.dumps(content), "layers", "free some space (`df -h .`)")
