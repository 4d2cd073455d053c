"""The history of promotions: `.build/history.jsonl`, one entry a line, only ever appended to.

A complete line means that the promotion happened: it is written after
the last tag, so that it also is what recovery goes by (see scripts/promotion/transaction.py).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scripts.common.errors import DiskError, SutraError
from scripts.common.platforms import image_of
from scripts.common.reference import DIGEST, NAME, TAG
from scripts.common.settings import GZIP, ZSTD
from scripts.common.text import printable

LEDGER = Path(".build/history.jsonl")
TIME = "%Y-%m-%dT%H:%M:%SZ"
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
NOTHING_MOVED = ", nothing was moved"


@dataclass(frozen=True)
class Promoted:
    """One image: the engine's id, the registry's digest ("" where none was asked), bytes."""

    id: str
    digest: str
    revision: str
    installed: int
    download: int


@dataclass(frozen=True)
class Entry:
    """One promotion or rollback.

    `of` is the promotion whose images are current from here on, `previous` the entry
    that was current before (0: none). `tags` says for each tag that was set which
    promotion's images it went to.
    """

    number: int
    at: str  # UTC, ISO 8601, seconds
    who: str
    verb: str
    version: str
    commit: str
    registry: str
    verdict: str
    of: int
    previous: int
    tags: Mapping[str, int]
    images: Mapping[str, Promoted]
    compression: str = GZIP  # of the layers in the registry

    def line(self) -> bytes:
        """Return the entry as a line of the file, with its end of line."""
        return json.dumps(self.as_dict(), ensure_ascii=True).encode() + b"\n"

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types; gzip is not named, as before there was another."""
        fields = asdict(self)
        if self.compression == GZIP:
            del fields["compression"]
        return fields

    @property
    def ids(self) -> dict[str, str]:
        """The engine's id of each image."""
        return {name: image.id for name, image in self.images.items()}


def parse(text: bytes | str, number: int) -> Entry:
    """Return the entry of one line. Raises ValueError for anything that is not one."""
    try:
        value = json.loads(text)
        images = {name: Promoted(**image) for name, image in value.pop("images").items()}
        entry = Entry(**value, images=images)
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if entry.number != number or not _is_valid(entry):
        raise ValueError("not as promotion writes it")
    return entry


def _is_valid(entry: Entry) -> bool:
    """Return whether everything has the type and the form that its use takes."""
    words = (entry.at, entry.who, entry.verb, entry.version, entry.commit, entry.registry)
    return (
        all(isinstance(word, str) and word.isprintable() for word in (*words, entry.verdict))
        and bool(STAMP.fullmatch(entry.at))
        and _number(entry.of, 1, entry.number)
        and _number(entry.previous, 0, entry.number - 1)
        and isinstance(entry.tags, dict)
        and all(
            TAG.fullmatch(tag) and _number(of, 1, entry.number) for tag, of in entry.tags.items()
        )
        and entry.compression in (GZIP, ZSTD)
        and bool(entry.images)
        and all(NAME.fullmatch(image_of(name)) and _image(i) for name, i in entry.images.items())
    )


def _number(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and least <= value <= most


def _image(image: Promoted) -> bool:
    digests = (image.id,) if image.digest == "" else (image.id, image.digest)
    return (
        all(isinstance(digest, str) and DIGEST.fullmatch(digest) for digest in digests)
        and isinstance(image.revision, str)
        and _number(image.installed, 0, 1 << 60)
        and _number(image.download, 0, 1 << 60)
    )


def read(path: Path = LEDGER) -> list[Entry]:
    """Return all entries, oldest first. Raises SutraError for a line that is not one."""
    entries: list[Entry] = []
    for number, line in enumerate(_lines(path), 1):
        try:
            if not line.endswith(b"\n"):
                raise SutraError(
                    f'{path}: line {number}: torn "{_shown(line)}"',
                    f"`sed -i '{number}d' {path}` removes it; then run the same command again",
                )
            entries.append(parse(line, number))
        except ValueError as error:
            raise SutraError(
                f'{path}: line {number}: not an entry "{_shown(line)}"',
                f"remove that line from {path}, or move the file away, "
                "then run the same command again",
            ) from error
    return entries


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except FileNotFoundError:
        return
    except OSError as error:
        raise SutraError(f"{path}: cannot be read: {error.strerror}", f"`ls -l {path}`") from error


def _shown(line: bytes) -> str:
    """Return the beginning of a line, so that it fits into an error."""
    text = line.rstrip(b"\n").decode(errors="replace")
    return printable(text[:40]) + ("…" if len(text) > 40 else "")


def append(entry: Entry, path: Path = LEDGER, outcome: str = NOTHING_MOVED) -> None:
    """Write the entry and have it on the disk, or raise SutraError and leave the file as it was.

    `outcome` is what the error says of the tags.
    """
    try:
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    except OSError as error:
        raise cannot_write(path, error, outcome) from error
    try:
        size, line = os.fstat(file).st_size, entry.line()
        try:
            while line:  # a disk that fills up takes a part, and says why at the next one
                line = line[os.write(file, line) :]
            os.fsync(file)
        except OSError:
            os.ftruncate(file, size)
            raise
    except OSError as error:
        raise cannot_write(path, error, outcome) from error
    finally:
        os.close(file)


def repair(entry: Entry, path: Path = LEDGER) -> None:
    """Take out what a killed `append` of this very entry left; a torn line of another stays."""
    *_, last = (b"", *_lines(path))
    if last and not last.endswith(b"\n") and entry.line().startswith(last):
        os.truncate(path, path.stat().st_size - len(last))


def holds(entry: Entry, path: Path = LEDGER) -> bool:
    """Return whether this very entry is the last one."""
    *_, last = (b"", *_lines(path))
    return last == entry.line()


def cannot_write(path: Path, error: OSError, outcome: str = NOTHING_MOVED) -> DiskError:
    """Return the one line for a file of ours that cannot be written."""
    return DiskError(
        f"{path}: cannot be written: {error.strerror}",
        f"`df -h {path.parent}` and `ls -ld {path.parent}` say more",
        outcome,
    )


def state(entries: Sequence[Entry]) -> dict[str, int]:
    """Return which promotion's images each tag is on after the last of `entries`."""
    numbers: dict[str, int] = {}
    for entry in entries:
        numbers.update(entry.tags)
    return numbers


def kept(entries: Sequence[Entry], keep: int) -> dict[str, set[str]]:
    """Return name → the engine's ids that rollback needs: of the last `keep` promotions,
    those with the same images counted once, and of every promotion that a floating tag
    of the ledger is on.
    """
    groups: list[dict[str, str]] = []
    for entry in reversed(entries):
        if entry.verb == "promote" and entry.ids not in groups:
            groups.append(entry.ids)
    needed = groups[:keep] + [entries[number - 1].ids for number in state(entries).values()]
    ids_by_name: dict[str, set[str]] = {}
    for ids in needed:
        for name, identity in ids.items():
            ids_by_name.setdefault(name, set()).add(identity)
    return ids_by_name
