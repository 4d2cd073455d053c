"""What the storage keeps and answers, as frozen dataclasses, and how they are read from JSON."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Concept:
    """One stored text with its metadata."""

    id: str
    text: str
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Association:
    """A directed, weighted (0 to 1) link between two concepts."""

    source: str
    target: str
    kind: str
    weight: float


@dataclass(frozen=True)
class Page:
    """Some concepts in id order; `next` is what to pass as `after` for more, or None."""

    concepts: list[Concept]
    next: str | None


@dataclass(frozen=True)
class AssociationPage:
    """Some associations; `next` is what to pass as `after` for more, or None.

    Unlike a concept's id it means nothing to anybody but the storage.
    """

    associations: list[Association]
    next: str | None


@dataclass(frozen=True)
class Stats:
    """How many concepts and associations are stored.

    `revision` grows with every write and outlives restarts; `bytes` is the size on disk. Both are
    None where the storage is too old to say.
    """

    concepts: int
    associations: int
    revision: int | None = None
    bytes: int | None = None


@dataclass(frozen=True)
class Health:
    """What the storage says about itself."""

    status: str
    version: str = ""


# The readers below raise KeyError or TypeError on what is not of the contract.


def concept(body: dict[str, Any]) -> Concept:
    """Read a concept."""
    return Concept(id=body["id"], text=body["text"], metadata=body["metadata"])


def page(body: dict[str, Any]) -> Page:
    """Read a page of concepts."""
    return Page([concept(row) for row in body["concepts"]], body["next"])


def association(row: dict[str, Any]) -> Association:
    """Read an association."""
    return Association(row["source"], row["target"], row["kind"], row["weight"])


def association_page(body: dict[str, Any]) -> AssociationPage:
    """Read a page of associations."""
    return AssociationPage([association(row) for row in body["associations"]], body.get("next"))


def stats(body: dict[str, Any]) -> Stats:
    """Read the counts."""
    return Stats(body["concepts"], body["associations"], body.get("revision"), body.get("bytes"))


def health(body: dict[str, Any]) -> Health:
    """Read what the storage says about itself."""
    return Health(body["status"], body.get("version", ""))
