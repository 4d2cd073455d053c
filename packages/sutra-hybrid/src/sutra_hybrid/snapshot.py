"""A snapshot: an index with its associations, built together and never changed."""

import hashlib
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sutra_hybrid.corpus import Corpus

if TYPE_CHECKING:
    from sutra_hybrid.answer import Answer
    from sutra_hybrid.graph import Graph
    from sutra_hybrid.index import Index


@dataclass(frozen=True)
class Snapshot:
    """The store at a revision: rows are in id order. `seconds` is how long it took to make."""

    index: "Index"
    graph: "Graph"
    ids: list[str]
    texts: list[str]
    revision: int | None
    digest: bytes
    complete: bool
    seconds: float
    built_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def similar(self, text: str, k: int) -> list[tuple[int, float]]:
        """Return up to `k` (row, similarity above 0 to 1), best first, ties by id."""
        return self.index.query(text, k)

    def answer(self, text: str, k: int) -> "tuple[Answer | None, list[tuple[int, float]]]":
        """Return the answer to a question, and the `k` similar concepts it was found from."""
        from sutra_hybrid.answer import Asked

        matches = self.similar(text, k)
        return Asked(text, matches, self.texts, self.graph).answer(), matches


def make(corpus: Corpus, before: Snapshot | None = None) -> Snapshot:
    """Build a snapshot; the index of `before` is kept when no id or text has changed.

    numpy and scikit-learn are loaded here, in the thread that builds: that takes longer than all
    else that a start does, and the service answers meanwhile.
    """
    from sutra_hybrid.builder import build
    from sutra_hybrid.graph import Graph

    start = time.perf_counter()
    ids, texts = list(corpus.texts), list(corpus.texts.values())
    digest = _digest(corpus)
    same = before is not None and before.digest == digest
    index = before.index if before is not None and same else build(texts)
    return Snapshot(
        index=index,
        graph=Graph(corpus),
        ids=ids,
        texts=texts,
        revision=corpus.revision,
        digest=digest,
        complete=corpus.complete,
        seconds=time.perf_counter() - start,
    )


def _digest(corpus: Corpus) -> bytes:
    """Return a digest that no other ids and texts have: each with its length before it."""
    digest = hashlib.sha256()
    for pair in corpus.texts.items():
        for value in pair:
            content = value.encode()
            digest.update(len(content).to_bytes(8) + content)
    return digest.digest()
