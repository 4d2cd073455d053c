"""How images grew: installed sizes from the ledger of promotions, `.build/history.jsonl`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from scripts.common.check_result import printable
from scripts.common.errors import SutraError

LEDGER = Path(".build/history.jsonl")
# of the oldest, only their number is told
SHOWN = 50


@dataclass(frozen=True)
class Point:
    """One promotion: when, which version, and each image's installed bytes."""

    at: str
    version: str
    installed: dict[str, int]


def read(path: Path = LEDGER) -> list[Point]:
    """Return all promotions, oldest first; none where nothing was promoted yet.

    Raises SutraError for a line that is no entry.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise SutraError(f"{path}: cannot be read: {error}") from error
    points = []
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            sizes = {str(name): int(one["installed"]) for name, one in entry["images"].items()}
            at, version = printable(str(entry["at"])), printable(str(entry["version"]))
            points.append(Point(at, version, sizes))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise SutraError(
                f"{path}: line {number}: not a promotion: {printable(str(error))}",
                f"take that line out of {path}, then run the same command again",
            ) from error
    return points


def line(points: list[Point], name: str, width: float, height: float) -> str:
    """Return the points of a polyline ("0.0,20.0 …") of an image's size over promotions."""
    sizes = [point.installed[name] for point in points if name in point.installed]
    if len(sizes) < 2:
        return ""
    most = max(*sizes, 1)
    step = width / (len(sizes) - 1)
    return " ".join(
        f"{at * step:.1f},{height * (1 - 0.9 * size / most):.1f}" for at, size in enumerate(sizes)
    )
