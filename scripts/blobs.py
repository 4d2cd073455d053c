"""One layer blob, read as the stream that it is: its digest and its sizes.

A blob is hostile input: nothing of it is unpacked, memory is bounded, and one
that ends early or is not what it says raises an error.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, Any

# gzip's own default level, which every builder uses; blocks are compressed side by
# side, each with the 32 KiB before it as dictionary (the method of pigz).
LEVEL = 6
BLOCK = 1 << 20
WINDOW = 1 << 15
GZIP_FRAME = 18
# blocks under way at once: bounds memory
PENDING = 8
ZSTD = b"\x28\xb5\x2f\xfd"
# what a damaged blob raises, besides EOFError
DAMAGE = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile)


@dataclass(frozen=True)
class Layer:
    """One layer: its digest uncompressed, and its sizes in bytes.

    `blob` is the digest under which the engine handed it out.
    """

    diff_id: str
    blob: str
    installed: int
    download: int


def read_layer(file: IO[bytes], blob: str = "") -> Layer | None:
    """Measure one blob: plain or gzip tar. Return None for the JSON documents beside layers.

    Raises one of DAMAGE for a blob that is cut short or is not what it says.
    """
    start = file.read(BLOCK)
    if not start or (start.startswith(b"{") and not _is_tar(start)):
        return None
    if start.startswith(ZSTD):
        raise tarfile.ReadError("zstd layers cannot be read yet")
    whole: Any = _Rejoined(start, file)
    if start.startswith(b"\x1f\x8b"):
        whole = gzip.GzipFile(fileobj=whole)
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        tap = _Tap(_blocks(whole), workers)
        installed = _regular_bytes(tap)
        tap.drain()
        return Layer(f"sha256:{tap.digest.hexdigest()}", blob, installed, tap.compressed())


def entries(file: Any) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    """Yield each entry of a forward-only tar stream, with the archive to read it from.

    Raises tarfile.TarError or EOFError for a damaged archive, where `tarfile`
    alone would take a broken header for the end, or look for one for ever.
    """
    try:
        source: Any = _Ending(file)
        with tarfile.open(fileobj=source, mode="r|", bufsize=BLOCK, tarinfo=_StrictInfo) as archive:
            for member in archive:
                yield member, archive
    except ValueError as error:  # a number that is none, in a PAX header
        raise tarfile.ReadError(str(error)) from error


def _regular_bytes(file: Any) -> int:
    """Return the sum of all files' sizes: links and folders have no bytes of their own."""
    return sum(member.size for member, _ in entries(file) if member.isreg())


def _is_tar(start: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(start[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


# what `tarfile` raises where an archive may end; not part of its documented names
_END = (tarfile.EmptyHeaderError, tarfile.EOFHeaderError)  # type: ignore[attr-defined]


class _StrictInfo(tarfile.TarInfo):
    """An entry whose header must be right; `tarfile` takes a broken one for the end."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> _StrictInfo:
        try:
            return super().fromtarfile(archive)
        except _END:
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error


class _Ending:
    """A file that refuses to be read on and on after its end.

    For a header that announces 2^60 bytes, `tarfile` would ask that often.
    """

    TRIES = 8

    def __init__(self, file: Any) -> None:
        self._file, self._left = file, self.TRIES

    def read(self, size: int) -> bytes:
        data: bytes = self._file.read(size)
        if not data:
            self._left -= 1
            if not self._left:
                raise EOFError("unexpected end of data")
        return data


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
