"""Inputs of a fuzz target: its seeds, and the files that the repository keeps of runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.seeds import SEEDS

FOLDER = Path(__file__).parent / "corpus"


def kept(target: str) -> list[Path]:
    """Return the files that are kept for a target: what was found, and what reaches new code."""
    return sorted((FOLDER / target).glob("*"))


def inputs(target: str) -> Iterator[tuple[str, bytes]]:
    """Yield each input of a target with a name."""
    for number, seed in enumerate(SEEDS[target]()):
        yield f"seed {number}", seed
    for file in kept(target):
        yield file.name, file.read_bytes()
