"""A treemap of an image's bytes: owners, in them folders, in them files; squarify lays it out."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import squarify

from scripts.common.units import format_size
from scripts.report.html.breakdown import Part

WIDTH, HEIGHT = 1000.0, 520.0
# height of the strip with a cell's name
HEADER = 18.0
# smallest area of a cell of its own: smaller parts share one, for nobody could see or hit them
SMALLEST = 60.0
# longest name in a tooltip
LONGEST = 80
# width of one character, for cutting names
CHARACTER = 7.2


@dataclass(frozen=True)
class Cell:
    """A rectangle: `label` is cut to fit, `title` is whole; `cells` are what is inside of it."""

    x: float
    y: float
    width: float
    height: float
    title: str
    label: str = ""
    kind: str = ""
    index: int = -1  # of the owner in the table; -1: of several, or no owner
    cells: tuple[Cell, ...] = ()


def lay_out(owners: Sequence[Part], most: int = 400) -> tuple[Cell, ...]:
    """Return a cell for each owner, the small ones together, in all not many more than `most`."""
    least = SMALLEST
    while count(cells := _owners(owners, least)) > most and least < WIDTH * HEIGHT:
        least *= 1.5
    return cells


def count(cells: Sequence[Cell]) -> int:
    """Return how many cells there are, those inside of others too."""
    return sum(1 + count(cell.cells) for cell in cells)


def _owners(owners: Sequence[Part], least: float) -> tuple[Cell, ...]:
    total = sum(part.size for part in owners)
    cells = []
    for index, part, box in _boxes(owners, (0.0, 0.0, WIDTH, HEIGHT), least):
        x, y, width, height = box
        inside = _inside(part, box, least) if index >= 0 else ()
        title = f"{part.name} {part.version}".strip() if part.version else part.name
        title += f": {format_size(part.size)}, {part.size / total:.1%}"
        label = fit(part.name, width) if height >= HEADER else ""
        kind = part.kind or "several"
        cells.append(Cell(x, y, width, height, title, label, kind, index, inside))
    return tuple(cells)


Box = tuple[float, float, float, float]


def _inside(owner: Part, box: Box, least: float) -> tuple[Cell, ...]:
    """Return the cells of an owner's folders, below its name, and in each those of its files."""
    x, y, width, height = box
    below = (x + 2, y + HEADER, width - 4, height - HEADER - 2)
    if below[2] * below[3] < least or min(below[2:]) < 4:
        return ()
    cells = []
    for index, folder, place in _boxes(owner.parts, below, least):
        files = _boxes(folder.parts, place, least) if index >= 0 else ()
        drawn = tuple(_cell(file, inner, posixpath.basename(file.name)) for _, file, inner in files)
        cells.append(_cell(folder, place, "", drawn))
    return tuple(cells)


def _cell(part: Part, box: Box, name: str, cells: tuple[Cell, ...] = ()) -> Cell:
    x, y, width, height = box
    title = f"{part.name[-LONGEST:]}: {format_size(part.size)}"
    return Cell(
        x, y, width, height, title, fit(name, width) if height >= HEADER else "", cells=cells
    )


def _boxes(parts: Sequence[Part], box: Box, smallest: float) -> Iterator[tuple[int, Part, Box]]:
    """Yield index, part and box; the parts of less area than that as one, with index -1."""
    total = sum(part.size for part in parts)
    if not total:
        return
    x, y, width, height = box
    least = smallest * total / (width * height)
    large = [(index, part) for index, part in enumerate(parts) if part.size >= least]
    small = [part for part in parts if 0 < part.size < least]
    if small:
        large.append((-1, _together(small)))
    large.sort(key=lambda pair: -pair[1].size)
    sizes = squarify.normalize_sizes([part.size for _, part in large], width, height)
    for (index, part), place in zip(
        large, squarify.squarify(sizes, x, y, width, height), strict=True
    ):
        yield index, part, (place["x"], place["y"], place["dx"], place["dy"])


def _together(parts: Sequence[Part]) -> Part:
    files = sum(part.files for part in parts)
    return Part(f"{len(parts)} smaller ones", sum(part.size for part in parts), files)


def fit(text: str, width: float) -> str:
    """Return as much of `text` as a cell of that width shows, "" when that is no help."""
    room = int((width - 8) / CHARACTER)
    if len(text) <= room:
        return text
    return text[: room - 1] + "…" if room >= 4 else ""
