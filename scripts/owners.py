"""Whose each file of an image is: of a package, of a Python distribution, or our own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scripts.entries import Entry


@dataclass(frozen=True, order=True)
class Owner:
    """`kind` is "debian", "alpine", "python", "rust", "ours" or "other"."""

    kind: str
    name: str
    version: str = ""


OTHER = Owner("other", "other")


def of(
    files: Mapping[str, Entry], texts: Mapping[str, str], labels: Mapping[str, str]
) -> dict[str, Owner]:
    """Return the owner of each path of `files`, from the records in `texts`."""
    return dict.fromkeys(files, OTHER)
