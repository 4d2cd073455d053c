"""Bounds for what an image holds in memory, for all its layers together, while they are read."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator

from scripts.image.entry import Entry
from scripts.image.layer_entries import Sink

# a whole Debian has 0.2 million entries; one takes about 0.6 kB of memory, its owner included
MAX_ENTRIES = 400_000
# characters of kept texts, and their lines: a whole Debian's records have 0.5 million
MAX_TEXTS = 128 << 20
MAX_LINES = 2_000_000
# characters of paths, links and names inside of files; 0.2 million entries have 16 million
MAX_NAMES = 48 << 20


class Held:
    """Counts what is held of an image, and says what is too much of it."""

    def __init__(self) -> None:
        self.entries = self.texts = self.lines = self.names = 0

    def add(self, entry: Entry, text: str | None) -> None:
        """Count one entry, and its text where it is kept."""
        self.entries += 1
        self.names += len(entry.path) + len(entry.link)
        if entry.elf or entry.secrets or entry.licences or entry.script:  # most have none of them
            self.names += sum(map(len, _names(entry)))
        if text:
            self.texts += len(text)
            self.lines += text.count("\n") + text.count("\r")

    def add_all(self, other: Held) -> None:
        """Count what was counted before, of a whole layer."""
        self.entries += other.entries
        self.names += other.names
        self.texts += other.texts
        self.lines += other.lines

    def too_much(self) -> str:
        """Return what there is too much of, "" where all is within bounds."""
        for count, most, what in (
            (self.entries, MAX_ENTRIES, "entries"),
            (self.texts, MAX_TEXTS, "bytes of package records"),
            (self.lines, MAX_LINES, "lines of package records"),
            (self.names, MAX_NAMES, "bytes of names"),
        ):
            if count > most:
                return f"more than {most} {what} in all layers"
        return ""

    def before(self, sink: Sink) -> Sink:
        """Return a sink that counts, and raises ReadError as soon as it is too much."""

        def counting(entry: Entry, text: str | None) -> None:
            self.add(entry, text)
            if problem := self.too_much():
                raise tarfile.ReadError(problem)
            sink(entry, text)

        return counting


def _names(entry: Entry) -> Iterator[str]:
    """Yield the other texts of an entry that a file may make as long as it likes."""
    yield from entry.secrets
    yield from entry.licences
    yield entry.script
    if elf := entry.elf:
        yield from (elf.interpreter, elf.soname)
        for names in (elf.needed, elf.rpath, elf.runpath, elf.versions):
            yield from names
        for library, versions in elf.wants:
            yield library
            yield from versions
        for part in (*elf.modules, *elf.crates):
            yield from part
