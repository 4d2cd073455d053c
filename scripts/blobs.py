"""One layer blob, read as the stream that it is: its digest and its sizes.

A blob is hostile input: nothing of it is unpacked, memory is bounded, and one
that ends early or is not what it says raises an error.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, Any

from scripts.entries import Sink, scan
from scripts.tars import BLOCK, is_tar, unpacked

# gzip's own default level, which every builder uses; blocks are compressed side by
# side, each with the 32 KiB before it as dictionary (the method of pigz).
LEVEL = 6
WINDOW = 1 << 15
GZIP_FRAME = 18
# blocks under way at once: bounds memory
PENDING = 8


@dataclass(frozen=True)
class Layer:
    """One layer: its digest uncompressed, and its sizes in bytes.

    `blob` is the digest under which the engine handed it out.
    """

    diff_id: str
    blob: str
    installed: int
    download: int


def read_layer(file: IO[bytes], blob: str = "", sink: Sink | None = None) -> Layer | None:
    """Measure one blob: plain, gzip or zstd tar. Return None for JSON documents beside layers.

    Each entry goes to `sink` in the same pass. Raises one of scripts.tars.DAMAGE
    for a blob that is cut short or is not what it says.
    """
    start, whole = unpacked(file)
    if not start or (start.startswith(b"{") and not is_tar(start)):
        return None
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        tap = _Tap(_blocks(whole), workers)
        installed = scan(tap, sink)
        tap.drain()
        return Layer(f"sha256:{tap.digest.hexdigest()}", blob, installed, tap.compressed())


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
    """A file that hashes and compresses what passes through it."""

    def __init__(self, blocks: Iterator[bytes], workers: ThreadPoolExecutor) -> None:
        self.digest = hashlib.sha256()
        self._blocks, self._rest, self._before = blocks, b"", b""
        self._workers = workers
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
        return self._size + sum(future.result() for future in self._pending)

    def _next(self) -> bytes:
        block = next(self._blocks, b"")
        if block:
            self.digest.update(block)
            self._pending.append(self._workers.submit(_deflated, block, self._before))
            self._before = block[-WINDOW:]
            if len(self._pending) > PENDING:
                self._size += self._pending.popleft().result()
        return block


def _deflated(block: bytes, before: bytes) -> int:
    """Return the size of `block` as part of a deflate stream in which `before` precedes it."""
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=before)
    return len(packer.compress(block)) + len(packer.flush(zlib.Z_SYNC_FLUSH))
