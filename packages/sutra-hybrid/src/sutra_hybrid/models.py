"""What callers send and get."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sutra_hybrid.snapshot import Snapshot
from sutra_service.client.fields import Text


def _whole(value: object) -> object:
    """Return 5 for 5.0: to JSON they are the same integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Question(BaseModel):
    """Body of POST /similar and POST /ask."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: Text
    k: Annotated[int, Field(ge=1, le=100), BeforeValidator(_whole)] = 10


class Match(BaseModel):
    """A similar concept; `score` is the similarity, 0.001 to 1."""

    id: str
    text: str
    score: float


class PathStep(BaseModel):
    """A concept on a path, and the association between the one before and this one.

    `direction` is "forward" when it points to this one. All three are null where the path starts.
    """

    id: str
    text: str
    kind: str | None = None
    weight: float | None = None
    direction: Literal["forward", "backward"] | None = None


class IndexState(BaseModel):
    """What the answer was found in; `complete` is false when the store is over a limit."""

    concepts: int
    associations: int
    revision: int | None
    complete: bool
    built_at: datetime

    @classmethod
    def of(cls, snapshot: Snapshot) -> "IndexState":
        """Describe a snapshot."""
        return cls(
            concepts=len(snapshot.ids),
            associations=len(snapshot.graph),
            revision=snapshot.revision,
            complete=snapshot.complete,
            built_at=snapshot.built_at,
        )


class SimilarAnswer(BaseModel):
    """Answer of POST /similar."""

    matches: list[Match]
    index: IndexState


class AskAnswer(BaseModel):
    """Answer of POST /ask; `answer` and `id` are null when nothing is similar to the question."""

    answer: str | None
    id: str | None
    confidence: float
    path: list[PathStep]
    matches: list[Match]
    index: IndexState


class RefreshAnswer(BaseModel):
    """Answer of POST /refresh."""

    index: IndexState


class Health(BaseModel):
    """Answer of GET /health when all is well."""

    status: Literal["ok"] = "ok"
    storage: Literal["ok"] = "ok"
    index: Literal["ready", "building"]


def matches(snapshot: Snapshot, scored: list[tuple[int, float]]) -> list[Match]:
    """Return the rows that were found, with their ids and texts."""
    return [
        Match(id=snapshot.ids[row], text=snapshot.texts[row], score=score) for row, score in scored
    ]


def similar_answer(snapshot: Snapshot, question: Question) -> SimilarAnswer:
    """Return the concepts most similar to a text."""
    scored = snapshot.similar(question.text, question.k)
    return SimilarAnswer(matches=matches(snapshot, scored), index=IndexState.of(snapshot))


def ask_answer(snapshot: Snapshot, question: Question) -> AskAnswer:
    """Return the answer to a question."""
    answer, scored = snapshot.answer(question.text, question.k)
    path = [
        PathStep(
            id=snapshot.ids[step.concept],
            text=snapshot.texts[step.concept],
            kind=step.edge and step.edge.kind,
            weight=step.edge and step.edge.weight,
            direction=step.edge and ("forward" if step.edge.forward else "backward"),
        )
        for step in (answer.steps if answer else ())
    ]
    return AskAnswer(
        answer=path[-1].text if path else None,
        id=path[-1].id if path else None,
        confidence=answer.confidence if answer else 0.0,
        path=path,
        matches=matches(snapshot, scored),
        index=IndexState.of(snapshot),
    )
