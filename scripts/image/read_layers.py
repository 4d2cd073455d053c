"""Read an image's layers from any source, each once: sizes and entries in one pass.

Sizes are counted from the layers' own tar streams, never from what the engine
prints: `docker images` and `.Size` change meaning with the image store. The
download size is that of the packed blob. Where a store keeps layers unpacked, one
fixed compressor is used, which comes within 0.2 % of Docker 26's own.
"""

from __future__ import annotations

import hashlib
import sys
import tarfile
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar

from scripts.common.errors import EngineError, SutraError
from scripts.engine import client as engine
from scripts.image import entry_cache, first_reading, layer_processes, secret_scan, size_cache
from scripts.image.held import Held
from scripts.image.layer_reader import read_layer
from scripts.image.size_cache import CACHE
from scripts.oci import docker_archive, sources
from scripts.oci.compression import BLOCK
from scripts.oci.content_store import StoredLayer
from scripts.oci.layer import Layer, Measured
from scripts.oci.sources import Source
from scripts.oci.tar_stream import DAMAGE

T = TypeVar("T")


class LayerError(SutraError):
    """A layer is damaged, another than its name says, or missing."""


SLOW = 2.0


def measure(client: engine.Client | None, reference: str, cache: Path = CACHE) -> Measured | None:
    """Return the sizes of an image, or None when the engine does not have it.

    `reference` is anything that scripts.oci.sources finds. Raises SutraError when the
    image changes or is removed while it is read, for a layer that is not a tar
    stream, and when a layer's figures cannot be kept.
    """
    source = sources.find(client, reference)
    return Measured(source.id, layers_of(source, cache), reference) if source else None


def measure_several(
    client: engine.Client | None, references: Iterable[str], cache: Path = CACHE
) -> Iterator[Measured | None]:
    """Yield the sizes of images in turn, as `measure` returns them; new ones are read at once."""
    sources_of = {reference: sources.find(client, reference) for reference in references}
    images = {source.id: source for source in sources_of.values() if source}
    kept = {source.id: _kept(source, cache) for source in images.values()}
    _read_together(client, [images[name] for name in images if kept[name] is None], cache)
    for reference, source in sources_of.items():
        if source is None:
            yield None
            continue
        layers = kept[source.id]
        yield Measured(source.id, layers_of(source, cache) if layers is None else layers, reference)


def read_together(
    client: engine.Client | None, references: Iterable[str], cache: Path = CACHE
) -> dict[str, Source]:
    """Read what is new of images, sizes and entries, into the cache, all of them at once.

    Return those that are there, by reference.
    """
    first_reading.prepare(cache)
    present = {reference: sources.find(client, reference) for reference in references}
    sources_of = {reference: source for reference, source in present.items() if source}
    images = {source.id: source for source in sources_of.values()}
    again = {
        diff_id
        for source in images.values()
        for diff_id in source.diff_ids
        if not entry_cache.has(cache, diff_id)
    }
    new = [
        source
        for source in images.values()
        if again.intersection(source.diff_ids) or _kept(source, cache) is None
    ]
    _read_together(client, new, cache, again)
    return sources_of


def _read_together(
    client: engine.Client | None,
    images: Iterable[Source],
    cache: Path,
    again: Collection[str] = (),
) -> None:
    """Read those of the engine in one go: the files of its store, or as it hands them out.

    Layers of `again` are read whether they are in the cache or not. What cannot be read is
    passed over: `layers_of` re-reads each image alone and names the damaged one.
    """
    on_disk, others = list[StoredLayer](), list[Source]()
    for image in images:
        if image.stored is not None:
            continue
        if (stored := image.files()) is None:
            others.append(image)
            continue
        on_disk += stored
    _read_files(on_disk, cache, again)
    if len(others) > 1:
        _read_archive(client or engine.connect(), others, cache, again)


def _read_archive(
    client: engine.Client, images: Sequence[Source], cache: Path, again: Collection[str]
) -> None:
    """Read images as the engine hands them out: what they share once."""
    both = sources.together(client, images)
    blobs: dict[str, set[str]] = {}
    try:
        for layer in _read(both, {}, cache, again, together=True):
            blobs.setdefault(layer.diff_id, set()).add(layer.blob)
    except (EngineError, LayerError):
        return
    for image in images:
        stored = [blobs.get(diff_id, set()) for diff_id in image.diff_ids]
        if all(len(digests) == 1 for digests in stored):  # packed in one way only
            size_cache.remember_stored(
                cache, image.id, [blob for digests in stored for blob in digests]
            )


def _read_files(stored: Iterable[StoredLayer], cache: Path, again: Collection[str]) -> bool:
    """Read layers that are files into the cache, several at once; a damaged one is passed over.

    Return whether none was damaged. Those in the cache are not read, but for those of `again`.
    """
    unread = {
        layer.blob: layer
        for layer in stored
        if layer.diff_id in again or size_cache.recall(cache, layer.blob) is None
    }
    if not unread:
        return True

    def read(layer: StoredLayer) -> Layer | None:
        with docker_archive.opened(layer.path) as file:
            return _read_blob(file, layer.blob, cache, Held())

    if len(unread) > 1:
        secret_scan.finish_preparing()
    message = f"layers: reading {len(unread)} of them"
    items = [(layer.size, layer) for layer in unread.values()]
    layers = layer_processes.spread(read, items, announced_if_slow(message))
    return len(list(filter(None, layers))) == len(unread)


def _read_blob(file: IO[bytes], blob: str, cache: Path, held: Held | None) -> Layer | None:
    """Read one blob into the cache, and return what it is; None for a document beside layers.

    `blob` is the digest that its place gives it ("" for none), `held` counts what the cache
    gets. Raises one of DAMAGE, also where the bytes are not those of the digest.
    """
    with entry_cache.writer(cache) as writer:
        layer = read_layer(file, held.before(writer) if held else writer)
        if layer:
            _refuse_other_bytes(blob, layer.blob)
            writer.keep(layer.diff_id)
            size_cache.remember(cache, layer)
        return layer


def _kept(source: Source, cache: Path) -> tuple[Layer, ...] | None:
    """Return the layers of an engine's image that are in the cache, None for any other."""
    if source.stored is not None:
        return None
    return size_cache.kept(source.id, source.diff_ids, None, cache)


def layers_of(source: Source, cache: Path, again: Collection[str] = ()) -> tuple[Layer, ...]:
    """Return the layers of an image, in order; what is not in the cache is read into it.

    Layers of `again` are read whether they are in the cache or not. An engine checked the
    bytes of its layers; in a file or a registry anything may have a digest's name, so
    that the cache vouches for none of them before their bytes are hashed.
    """
    layers_by_id: dict[str, Layer] = {}
    if source.stored is None:
        stored = size_cache.recall_stored(cache, source.id)
        layers_by_id = size_cache.recalled(source.diff_ids, stored, cache, again)
    is_read = len(layers_by_id) == len(set(source.diff_ids))
    if not is_read and (on_disk := source.files()) and _read_files(on_disk, cache, again):
        # the last form of a layer counts where an image has it in several: layouts do the same
        in_order = [layer.blob for layer in on_disk]
        layers_by_id = size_cache.recalled(source.diff_ids, in_order, cache)
    if len(layers_by_id) < len(set(source.diff_ids)):
        for layer in _read(source, layers_by_id, cache, again):
            layers_by_id[layer.diff_id] = layer
    for diff_id in source.diff_ids:
        if diff_id not in layers_by_id:
            raise LayerError(f"{source.missing}: {diff_id}", source.tip)
    layers = tuple(layers_by_id[diff_id] for diff_id in source.diff_ids)
    blobs = [layer.blob for layer in layers]
    if source.stored is None and blobs != stored:
        size_cache.remember_stored(cache, source.id, blobs)
    return layers


def _read(
    source: Source,
    kept_layers: Mapping[str, Layer],
    cache: Path,
    again: Collection[str],
    together: bool = False,
) -> Iterator[Layer]:
    """Read the layers of an image, but for those in `kept_layers`, and keep what they hold.

    What one image may hold is counted across its layers, not across images read `together`.
    """
    count = len(set(source.diff_ids) - set(kept_layers))
    held = None if together else Held()
    try:
        for blob, file in warn_if_slow(
            source.blobs(kept_layers), f"layers: reading {count} of them"
        ):
            kept = size_cache.recall(cache, blob)
            if kept and kept.diff_id in set(source.diff_ids) - set(again):
                if source.stored is not None:
                    _refuse_other_bytes(blob, _digest(file))
                yield kept
            elif layer := _read_blob(file, blob, cache, held):
                yield layer
    except DAMAGE as error:
        raise LayerError(f"{source.damaged}: {error}", source.tip) from error


def _digest(file: IO[bytes]) -> str:
    """Return "sha256:…" of what is left to read of a file."""
    sha256 = hashlib.sha256()
    while block := file.read(BLOCK):
        sha256.update(block)
    return f"sha256:{sha256.hexdigest()}"


def _refuse_other_bytes(name: str, digest: str) -> None:
    """Raise ReadError where a blob's bytes are not those of its name, if it has one."""
    if name and name != digest:
        raise tarfile.ReadError(f"content is not that of {name}")


def warn_if_slow(items: Iterator[T], message: str) -> Iterator[T]:
    """Yield `items`; print `message` to stderr once, when they take longer than SLOW seconds."""
    with announced_if_slow(message):
        yield from items


@contextmanager
def announced_if_slow(message: str) -> Iterator[None]:
    """Print `message` to stderr, when the block takes longer than SLOW seconds."""
    timer = threading.Timer(SLOW, lambda: print(message, file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
