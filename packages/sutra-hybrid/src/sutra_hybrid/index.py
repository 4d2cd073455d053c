"""The index: a pure function of the concepts. The same concepts give the same answers."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors

from sutra_client.storage import Concept

# One letter or digit is a word too; scikit-learn's default drops them.
WORD = r"(?u)\b\w+\b"
# Below this many documents or terms an SVD has nothing to summarise.
MIN_FOR_SVD = 16
MAX_COMPONENTS = 100
SEED = 0
# Scores are rounded, so that the last bits of a float do not decide an order.
DIGITS = 6


@dataclass(frozen=True)
class _Model:
    vectorizer: TfidfVectorizer
    svd: TruncatedSVD | None
    neighbors: NearestNeighbors


@dataclass(frozen=True)
class Index:
    """Searchable texts by id, in id order; `model` is None when no text has a word."""

    texts: dict[str, str] = field(default_factory=dict)
    model: _Model | None = None

    def query(self, text: str, k: int) -> list[tuple[str, float]]:
        """Return up to `k` (id, cosine similarity, above 0 to 1), best first, ties by id."""
        if self.model is None:
            return []
        vector = self.model.vectorizer.transform([text])
        if vector.nnz == 0:  # no known word: nothing is similar, rather than everything equally
            return []
        if self.model.svd is not None:
            vector = self.model.svd.transform(vector)
        count = min(k, len(self.texts))
        distances, rows = self.model.neighbors.kneighbors(vector, count)
        ids = list(self.texts)
        found = [
            (ids[row], round(min(1.0 - float(distance), 1.0), DIGITS))
            for distance, row in zip(distances[0], rows[0], strict=True)
        ]
        return sorted((match for match in found if match[1] > 0), key=lambda m: (-m[1], m[0]))


def build(concepts: Iterable[Concept]) -> Index:
    """Return the index of all concepts; their order does not matter."""
    texts = {concept.id: concept.text for concept in sorted(concepts, key=lambda c: c.id)}
    if not any(re.search(WORD, text) for text in texts.values()):
        return Index(texts)
    vectorizer = TfidfVectorizer(token_pattern=WORD, sublinear_tf=True, dtype=np.float32)
    vectors = vectorizer.fit_transform(texts.values())
    svd = None
    if min(vectors.shape) >= MIN_FOR_SVD:
        components = min(MAX_COMPONENTS, min(vectors.shape) - 1)
        svd = TruncatedSVD(components, algorithm="randomized", random_state=SEED)
        with np.errstate(invalid="ignore", divide="ignore"):  # variance 0 when all texts are equal
            vectors = svd.fit_transform(vectors)
    neighbors = NearestNeighbors(metric="cosine", algorithm="brute").fit(vectors)
    return Index(texts, _Model(vectorizer, svd, neighbors))
