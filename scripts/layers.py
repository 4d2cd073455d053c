"""An image's layers and their sizes, the same whatever store the engine uses.

Sizes are counted from the layers' own tar streams, never from what the engine
prints: `docker images` and `.Size` change meaning with the image store. The
download size is what one fixed compressor makes of a layer, since the classic
store keeps layers uncompressed and each engine version compresses a little
differently. Each layer is read once and its figures are kept by its digest.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tarfile
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import docker

from scripts import engine
from scripts.errors import SutraError

CACHE = Path(".cache/layers")
# gzip's own default level, which every builder uses; blocks are compressed side by
# side, each with the 32 KiB before it as dictionary (the method of pigz).
LEVEL = 6
BLOCK = 1 << 20
WINDOW = 1 << 15
GZIP_FRAME = 18
# a change of how sizes are counted makes earlier figures void; so does another zlib
METHOD = f"1-zlib-{zlib.ZLIB_RUNTIME_VERSION}"


@dataclass(frozen=True)
class Layer:
    """One layer: its digest uncompressed, and its sizes in bytes.

    `blob` is the digest under which the engine handed it out.
    """

    diff_id: str
    blob: str
    installed: int
    download: int


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


def measure(client: docker.DockerClient, reference: str, cache: Path = CACHE) -> Measured | None:
    """Return the sizes of an image, or None when the engine does not have it.

    Raises SutraError when the image changes or vanishes while it is read, and
    for a layer that is not a tar stream.
    """
    known = engine.inspect(client, reference)
    if known is None:
        return None
    wanted = list(known["RootFS"].get("Layers") or [])
    found = {diff_id: layer for diff_id in wanted if (layer := _recall(cache, diff_id))}
    if len(found) < len(set(wanted)):
        read = _read_image(client, known["Id"], {layer.blob for layer in found.values()})
        for layer in read:
            found[layer.diff_id] = layer
            _remember(cache, layer)
    missing = [diff_id for diff_id in wanted if diff_id not in found]
    if missing:
        raise SutraError(
            f'engine: layer missing from "{reference}": {missing[0]}', "build the image again"
        )
    return Measured(known["Id"], tuple(found[diff_id] for diff_id in wanted))


def _read_image(client: docker.DockerClient, identity: str, skip: set[str]) -> list[Layer]:
    """Read all layers of `docker save`, but for the blobs in `skip`."""
    layers = []
    try:
        with (
            engine.saved(client, identity) as stream,
            tarfile.open(fileobj=stream, mode="r|", bufsize=BLOCK) as archive,
        ):
            for member in archive:
                blob = "sha256:" + member.name.rpartition("/")[2]
                if not member.isreg() or not member.name.startswith("blobs/") or blob in skip:
                    continue
                file = archive.extractfile(member)
                if file and (layer := read_layer(file, blob)):
                    layers.append(layer)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SutraError(
            f'engine: archive of "{identity}" is damaged: {error}', "build the image again"
        ) from error
    return layers


def read_layer(file: IO[bytes], blob: str = "") -> Layer | None:
    """Measure one blob: plain or gzip tar. Return None for the JSON documents beside layers.

    Raises tarfile.TarError, EOFError or zlib.error for a damaged one.
    """
    start = file.read(BLOCK)
    if start.startswith(b"{") or not start:
        return None
    whole: Any = _Rejoined(start, file)
    if start.startswith(b"\x1f\x8b"):
        whole = gzip.GzipFile(fileobj=whole)
    tap: Any = _Tap(_blocks(whole))
    with tarfile.open(fileobj=tap, mode="r|", bufsize=BLOCK) as archive:
        # hard links have no bytes of their own; sizes of links and folders are no file's
        installed = sum(member.size for member in archive if member.isreg())
    tap.drain()
    return Layer(f"sha256:{tap.digest.hexdigest()}", blob, installed, tap.compressed())


class _Rejoined:
    """A file whose first bytes were read already."""

    def __init__(self, start: bytes, rest: IO[bytes]) -> None:
        self._start, self._rest = start, rest

    def read(self, size: int) -> bytes:
        if not self._start:
            return self._rest.read(size)
        part, self._start = self._start[:size], self._start[size:]
        return part


def _blocks(file: Any) -> Iterator[bytes]:
    """Yield the content in blocks of exactly BLOCK bytes, but for the last."""
    while True:
        parts, missing = [], BLOCK
        while missing and (part := file.read(missing)):
            parts.append(part)
            missing -= len(part)
        if parts:
            yield b"".join(parts)
        if missing:
            return


class _Tap:
    """A file for `tarfile` that hashes and compresses what passes through it."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self.digest = hashlib.sha256()
        self._blocks, self._rest, self._before = blocks, b"", b""
        self._workers = ThreadPoolExecutor(os.cpu_count())
        self._pending: deque[Future[int]] = deque()
        self._size = GZIP_FRAME

    def read(self, size: int) -> bytes:
        if not self._rest:
            self._rest = self._next()
        part, self._rest = self._rest[:size], self._rest[size:]
        return part

    def drain(self) -> None:
        """Read what follows the archive's end marker: it is part of the layer's bytes."""
        self._rest = b""
        while self._next():
            pass

    def compressed(self) -> int:
        """Return the bytes that a gzip file of all blocks would have."""
        with self._workers:
            return self._size + sum(future.result() for future in self._pending)

    def _next(self) -> bytes:
        block = next(self._blocks, b"")
        if block:
            self.digest.update(block)
            self._pending.append(self._workers.submit(_deflated, block, self._before))
            self._before = block[-WINDOW:]
            if len(self._pending) > 8:  # bounds memory
                self._size += self._pending.popleft().result()
        return block


def _deflated(block: bytes, before: bytes) -> int:
    """Return the size of `block` as part of a deflate stream in which `before` precedes it."""
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=before)
    return len(packer.compress(block)) + len(packer.flush(zlib.Z_SYNC_FLUSH))


def _place(cache: Path, diff_id: str) -> Path:
    return cache / METHOD / (diff_id.rpartition(":")[2] + ".json")


def _recall(cache: Path, diff_id: str) -> Layer | None:
    """Return the layer's figures from an earlier reading; a damaged file counts as none."""
    try:
        return Layer(**json.loads(_place(cache, diff_id).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _remember(cache: Path, layer: Layer) -> None:
    place = _place(cache, layer.diff_id)
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(asdict(layer)))
    partial.rename(place)
