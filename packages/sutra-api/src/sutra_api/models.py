"""What callers send."""

import json
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from sutra_client.fields import ConceptId, Kind, Text

MAX_METADATA_BYTES = 16_384


def _check_metadata(value: dict[str, Any]) -> dict[str, Any]:
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
    metadata: Annotated[dict[str, JsonValue], AfterValidator(_check_metadata)] = Field(
        default_factory=dict
    )


class AssociationBody(_Strict):
    """Body of PUT /associations."""

    source: ConceptId
    target: ConceptId
    kind: Kind
    weight: Annotated[float, Field(ge=0, le=1)]
