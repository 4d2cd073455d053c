"""The moves of a promotion, on disk before its first tag moves: `.build/promotion.json`.

The file is there from before the first tag until after the ledger's line, so a run
that was killed leaves it, and the next command knows what to settle.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scripts.common import files, locks
from scripts.common.errors import SutraError
from scripts.common.reference import tagged
from scripts.engine.move import Move
from scripts.history import ledger
from scripts.history.ledger import Entry

JOURNAL = Path(".build/promotion.json")
PARTIAL = ".partial"
LOCK = Path(".build/lock")
LOCK_SECONDS = 900.0
UNFINISHED = "the next `make promote` or `make rollback` settles what is unfinished"
BY_HAND = f"check the tags, remove {JOURNAL}, then run the same command again"


@dataclass(frozen=True)
class Intent:
    """The entry that will be written, and the moves: of the engine's tags, of the registry's.

    `scratch` are tags of the engine that only the push needs.
    """

    entry: Entry
    moves: tuple[Move, ...]
    remote: tuple[Move, ...] = ()
    scratch: tuple[str, ...] = ()


def named(entry: Entry) -> str:
    """Return how a line about a promotion that did not end begins."""
    return f"{JOURNAL}: {entry.verb} {entry.number} ({entry.at}, {entry.who})"


def warn_pending() -> None:
    """Say on stderr that a promotion did not end: for commands that only read."""
    if intent := read():
        print(f"{named(intent.entry)} is unfinished; {UNFINISHED}", file=sys.stderr)


def write(intent: Intent, path: Path = JOURNAL) -> None:
    """Have the intent on the disk, whole, or raise SutraError and leave what was there."""
    try:
        files.replace(path, json.dumps(asdict(intent)), path.with_suffix(PARTIAL), durable=True)
    except OSError as error:
        raise ledger.cannot_write(path, error) from error


def read(path: Path = JOURNAL) -> Intent | None:
    """Return the intent of a run that did not end, or None. Raises SutraError for foreign text."""
    try:
        value = json.loads(path.read_bytes())
        number = value["entry"]["number"]
        entry = ledger.parse(json.dumps(value["entry"]), number)
        moves, remote = (tuple(_move(move) for move in value[key]) for key in ("moves", "remote"))
        return Intent(entry, moves, remote, tuple(value["scratch"]))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SutraError(f"{path}: cannot be read: {error.strerror}", f"`ls -l {path}`") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SutraError(
            f"{path}: not what a promotion writes",
            BY_HAND,
        ) from error


def _move(value: dict[str, Any]) -> Move:
    """Return one move. Raises ValueError or TypeError if `value` is not one."""
    move = Move(**value)
    words = (move.tag, move.after) if move.before is None else (move.tag, move.before, move.after)
    if not all(isinstance(word, str) for word in words) or not tagged(move.tag):
        raise ValueError(f"no move: {value}")
    return move


def clear(path: Path = JOURNAL) -> None:
    """Say that nothing is under way any more."""
    path.unlink(missing_ok=True)
    tidy(path)
    files.sync_names(path.parent)


def tidy(path: Path = JOURNAL) -> None:
    """Remove what a run left that was killed while it wrote its intent."""
    path.with_suffix(PARTIAL).unlink(missing_ok=True)


@contextmanager
def locked(path: Path = LOCK, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the lock of everything that moves tags; wait for another run, with a word.

    The kernel frees the lock of a run that was killed. Raises SutraError after `seconds`.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(locks.held(path, seconds, "moves tags"))
        except OSError as error:
            raise ledger.cannot_write(path, error) from error
        yield
