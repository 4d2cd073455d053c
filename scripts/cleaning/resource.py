"""One resource of a project on the engine, and who else uses it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from scripts.common.reference import short


@dataclass(frozen=True)
class Resource:
    """One resource on the engine. `kept` says why it stays; empty: it goes.

    `kind` is container, network, image, cache or volume. `size` is in bytes as the engine counts
    them: an image with the layers that it shares. `tags` are those of an image that are ours.
    """

    kind: str
    id: str
    name: str
    size: int
    kept: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Selection:
    """How much is asked for: data volumes as well, and what rollback needs as well."""

    data: bool = False
    everything: bool = False


def name(container: Mapping[str, Any]) -> str:
    """Return a container's name, its id where it has none."""
    return str((container["Names"] or [short(container["Id"])])[0]).lstrip("/")


def used_by(users: Collection[Mapping[str, Any]]) -> str:
    """Return why a resource stays that other projects' containers use, "" without one."""
    names = ", ".join(sorted(map(name, users)))
    return f"in use by another project's container {names}" if users else ""
