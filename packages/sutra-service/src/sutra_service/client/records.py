"""What the storage keeps and answers, as frozen dataclasses, and how they are read from JSON."""

from dataclasses import dataclass, field
from typing import Any

from sutra_service.client.fields import is_shallow

# The storage's parser ends at 128 levels; the writer of our own answers ends at 255.
MAX_DEPTH = 128


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


# The readers below raise KeyError, TypeError or ValueError on what is not of the contract.


def concept(body: dict[str, Any]) -> Concept:
    """Read a concept."""
    metadata: dict[str, Any] = _typed(body["metadata"], dict)
    if metadata and not is_shallow(metadata, MAX_DEPTH):
        raise ValueError(f"metadata of more than {MAX_DEPTH} levels")
    return Concept(_typed(body["id"], str), _typed(body["text"], str), metadata)


def page(body: dict[str, Any]) -> Page:
    """Read a page of concepts."""
    return Page([concept(row) for row in body["concepts"]], _cursor(body["next"]))


def association(row: dict[str, Any]) -> Association:
    """Read an association."""
    return Association(
        _typed(row["source"], str),
        _typed(row["target"], str),
        _typed(row["kind"], str),
        _typed(row["weight"], int | float),
    )


def association_page(body: dict[str, Any]) -> AssociationPage:
    """Read a page of associations."""
    rows = [association(row) for row in body["associations"]]
    return AssociationPage(rows, _cursor(body.get("next")))


def stats(body: dict[str, Any]) -> Stats:
    """Read the counts."""
    counts = _typed(body["concepts"], int), _typed(body["associations"], int)
    return Stats(*counts, *(_count_or_none(body.get(name)) for name in ("revision", "bytes")))


def health(body: dict[str, Any]) -> Health:
    """Read what the storage says about itself."""
    return Health(_typed(body["status"], str), _typed(body.get("version", ""), str))


def _typed(value: Any, kind: Any) -> Any:
    """Return `value`; raise TypeError where it is not of `kind`, without it: it may be huge."""
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} in place of {kind}")
    return value


def _cursor(value: Any) -> str | None:
    return None if value is None else _typed(value, str)


def _count_or_none(value: Any) -> int | None:
    return None if value is None else _typed(value, int)
