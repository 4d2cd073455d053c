"""On-disk cache of layer entries, by digest. Sizes have a cache of their own (size_cache)."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import sys
import tempfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast

from scripts.common.errors import DiskError
from scripts.common.reference import digits
from scripts.image.elf import Elf
from scripts.image.entry import Entry, Pyc
from scripts.image.held import Held

_SCRIPTS = Path(__file__).resolve().parents[1]
# a change of what is found in a file makes earlier findings void
_FINDERS = (
    "image/entry.py", "image/file_facts.py", "image/layer_entries.py",
    "image/capabilities.py", "image/copyright_file.py", "image/elf.py", "image/elf_tables.py",
    "image/go_modules.py", "image/rust_crates.py", "image/kept_texts.py",
    "image/known_content.py", "image/known_texts.txt",
    "image/pyc.py", "image/certificates.py", "image/secret_scan.py", "image/secret_files.py",
    "image/secret_files.toml", "image/secret_formats.py", "image/secret_formats.toml",
    "image/secret_lines.py", "image/secret_lines.toml", "image/secret_names.py",
    "image/secret_encoded.py", "image/secret_packed.py", "image/secret_words.toml",
    "oci/compression.py", "oci/forward.py", "oci/tar_stream.py",
    "common/multi_search.py", "common/text.py",
)  # fmt: skip # a list of words
# bytes of the layers that stay in memory, and about what one entry takes
LOADED = 128 << 20
ENTRY = 600
# bytes of lines that are compressed at once
LINES = 1 << 18
_DAMAGE = (OSError, EOFError, zlib.error, ValueError, TypeError, LookupError)


@cache
def method() -> str:
    """Return the name of the folder for what the present code finds."""
    digest = hashlib.sha256()
    for name in _FINDERS:
        digest.update((_SCRIPTS / name).read_bytes())  # one that moved is an error, never skipped
    return f"entries-{digest.hexdigest()[:16]}"


def name(diff_id: str) -> str:
    """Return the name of the file that holds a layer's entries."""
    return f"{digits(diff_id)}.gz"


def has(folder: Path, diff_id: str) -> bool:
    """Return whether a layer's entries are kept."""
    return (folder / method() / name(diff_id)).exists()


def has_any(folder: Path) -> bool:
    """Return whether the entries of any layer are kept."""
    return os.path.exists(folder / method())  # False also for a folder closed to this user


class Loaded(NamedTuple):
    """A layer's entries, its kept texts by path, and what they count for in memory."""

    entries: tuple[Entry, ...]
    texts: dict[str, str]
    held: Held


def load(folder: Path, diff_id: str) -> Loaded | None:
    """Return what is kept of a layer; None when it is not kept, or damaged."""
    place = folder / method() / name(diff_id)
    try:
        stat = place.stat()
    except OSError:
        return None
    return _RECENT.get(place, (stat.st_ino, stat.st_mtime_ns, stat.st_size))


class _Recent:
    """Layers that are parsed once: images share them, and several checks need them."""

    def __init__(self) -> None:
        self._layers: OrderedDict[tuple[Path, tuple[int, ...]], tuple[Loaded | None, int]] = (
            OrderedDict()
        )
        self._bytes = 0

    def get(self, place: Path, stat: tuple[int, ...]) -> Loaded | None:
        """Return what a file holds; `stat` says that it is still the same file."""
        if (place, stat) in self._layers:
            self._layers.move_to_end((place, stat))
            return self._layers[place, stat][0]
        layer = _parsed(place)
        size = _size(layer.held) if layer else 0
        self._layers[place, stat] = layer, size
        self._bytes += size
        while self._bytes > LOADED:
            self._bytes -= self._layers.popitem(last=False)[1][1]
        return layer

    def clear(self) -> None:
        """Forget all."""
        self._layers.clear()
        self._bytes = 0


def _size(held: Held) -> int:
    return ENTRY * held.entries + held.names + held.texts


_RECENT = _Recent()


def _parsed(place: Path) -> Loaded | None:
    """Return what a file holds, None when it is damaged."""
    entries: list[Entry] = []
    texts: dict[str, str] = {}
    try:
        with gzip.open(place, "rt", encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                entries.append(_entry(row))
                if row[-1] is not None:
                    texts[row[0]] = row[-1]
    except _DAMAGE:
        return None
    held = Held()
    for entry in entries:
        held.add(entry, texts.get(entry.path))
    return Loaded(tuple(entries), texts, held)


@contextmanager
def writer(folder: Path) -> Iterator[Writer]:
    """Open a writer; what it does not keep is removed at the end."""
    opened = Writer(folder)
    try:
        yield opened
    finally:
        opened.drop()


class Writer:
    """Takes entries as they are read; the file exists only once `keep` has named their layer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / method()
        self._partial: Path | None = None
        self._file: Any = None

    def __call__(self, entry: Entry, text: str | None) -> None:
        """Add one entry. Raises DiskError when it cannot be written."""
        with self._disk_errors():
            self._open().write(json.dumps(_row(entry, text)).encode() + b"\n")

    def keep(self, diff_id: str) -> None:
        """Put the file into its place. Raises DiskError when it cannot be written."""
        with self._disk_errors():
            self._open().close()
            os.replace(str(self._partial), self._folder / name(diff_id))
        self._partial = None

    def drop(self) -> None:
        """Remove what was written and not kept."""
        if self._partial:
            self._partial.unlink(missing_ok=True)
            with suppress(OSError):  # on a full disk, the last bytes of what is gone already
                self._file.close()

    def _open(self) -> Any:
        if self._partial is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor, partial = tempfile.mkstemp(".partial", dir=self._folder)
            self._partial = Path(partial)
            os.close(descriptor)
            # closed by keep or drop; a line at a time costs twice as much
            packed = gzip.open(partial, "wb", compresslevel=1)  # noqa: SIM115
            self._file = io.BufferedWriter(cast(io.RawIOBase, packed), LINES)
        return self._file

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DiskError(
                f'layers: cannot write "{self._folder}": {error.strerror}',
                "free some space (`df -h .`)",
            ) from error


def _row(entry: Entry, text: str | None) -> list[Any]:
    elf, pyc = entry.elf, entry.pyc
    return [
        entry.path, entry.kind, entry.size, entry.mode, entry.uid, entry.gid, entry.mtime,
        entry.link, entry.digest,
        elf and [elf.machine, elf.kind, elf.interpreter, elf.needed, elf.soname,
                 elf.rpath, elf.runpath, elf.stripped, elf.language, elf.wants, elf.versions,
                 elf.traits, elf.modules, elf.crates],
        pyc and [pyc.magic, pyc.kind, pyc.mtime, pyc.size, pyc.hash],
        entry.secrets, entry.script, entry.sources, entry.sha1, entry.capabilities, entry.marks,
        entry.licences, text,
    ]  # fmt: skip # fields as _entry reads them


def _entry(row: list[Any]) -> Entry:
    elf, pyc = row[9], row[10]
    return Entry(
        row[0], sys.intern(row[1]), row[2], row[3], row[4], row[5], row[6], row[7], row[8],
        elf and Elf(elf[0], elf[1], elf[2], tuple(elf[3]), elf[4], tuple(elf[5]), tuple(elf[6]),
                    elf[7], elf[8], tuple((name, tuple(of)) for name, of in elf[9]),
                    tuple(elf[10]), tuple(elf[11]),
                    tuple((path, version) for path, version in elf[12]),
                    tuple((crate, version) for crate, version in elf[13])),
        pyc and Pyc(*pyc),
        tuple(row[11]), row[12], tuple(row[13]), row[14], tuple(row[15]),
        tuple(row[16]), tuple(row[17]),
    )  # fmt: skip # fields as _row writes them
