"""What callers send, and what they get beyond the storage's own records."""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sutra_service.client.fields import ConceptId, Kind, Text, is_shallow
from sutra_service.client.records import Association, Concept

MAX_METADATA_BYTES = 16_384
# The storage's parser ends at 128 levels, of which the rest of a line in a batch takes some.
MAX_METADATA_DEPTH = 64


def _check_metadata(value: dict[str, Any]) -> dict[str, Any]:
    if not is_shallow(value, MAX_METADATA_DEPTH):
        raise ValueError(f"must be at most {MAX_METADATA_DEPTH} levels deep")
    try:
        size = len(json.dumps(value, ensure_ascii=False, allow_nan=False).encode())
    except ValueError:  # NaN, infinity, or half a surrogate pair
        raise ValueError("must be valid JSON") from None
    if size > MAX_METADATA_BYTES:
        raise ValueError(f"must be at most {MAX_METADATA_BYTES} bytes of JSON, is {size}")
    return value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ConceptBody(_Strict):
    """Body of PUT /concepts/{id}."""

    text: Text
    metadata: Annotated[dict[str, Any], AfterValidator(_check_metadata)] = Field(
        default_factory=dict
    )


class AssociationBody(_Strict):
    """Body of PUT /associations."""

    source: ConceptId
    target: ConceptId
    kind: Kind
    weight: Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Health:
    """Answer of GET /health."""

    status: Literal["ok"] = "ok"
    storage: Literal["ok"] = "ok"


@dataclass(frozen=True)
class Found:
    """Answer of GET /search: concepts that hold every word, in id order.

    `scanned` is how many concepts were read. `next` is what to pass as `after` to search on, or
    None when everything has been searched; a search that met its bound may have found nothing yet.
    """

    concepts: list[Concept]
    scanned: int
    next: str | None


@dataclass(frozen=True)
class ConceptPath:
    """Answer of GET /path: ids from source to target, and the association behind each step."""

    concepts: list[str]
    associations: list[Association]
