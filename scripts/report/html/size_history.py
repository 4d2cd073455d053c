"""How images grew: installed sizes from the ledger of promotions, `.build/history.jsonl`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scripts.history import ledger

# number of promotions that the picture shows; older ones are only counted
SHOWN = 50


@dataclass(frozen=True)
class Point:
    """One promotion: when, which version, and each image's installed bytes."""

    at: str
    version: str
    installed: dict[str, int]


def read(path: Path = ledger.LEDGER) -> list[Point]:
    """Return all promotions, oldest first; none where nothing was promoted yet."""
    return [
        Point(
            entry.at,
            entry.version,
            {name: image.installed for name, image in entry.images.items()},
        )
        for entry in ledger.read(path)
    ]


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
