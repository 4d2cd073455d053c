"""What callers send and get."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sutra_client.fields import Text
from sutra_hybrid.refresh import Snapshot


class SimilarBody(BaseModel):
    """Body of POST /similar."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: Text
    k: Annotated[int, Field(ge=1, le=100)] = 10


class Match(BaseModel):
    """A similar concept."""

    id: str
    text: str
    score: float


class IndexState(BaseModel):
    """How many concepts the index holds and when it was built; None: never."""

    concepts: int
    built_at: datetime | None

    @classmethod
    def of(cls, snapshot: Snapshot) -> "IndexState":
        """Describe a snapshot."""
        return cls(concepts=len(snapshot.index.texts), built_at=snapshot.built_at)


class SimilarAnswer(BaseModel):
    """Answer of POST /similar."""

    matches: list[Match]
    index: IndexState


class RefreshAnswer(BaseModel):
    """Answer of POST /refresh."""

    index: IndexState
