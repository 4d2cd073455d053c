"""The index: a pure function of the texts. The same texts give the same answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors

from sutra_hybrid.words import Vocabulary, words

# Below this many different texts or words an SVD has nothing to summarise.
MIN_FOR_SVD = 16
MAX_COMPONENTS = 100
SEED = 0
# Scores are rounded, so that the last bits of a float do not decide an order.
DIGITS = 6
# A vector that the SVD left shorter than this has no direction to compare.
SHORTEST = 1e-5


@dataclass(frozen=True)
class _Model:
    """`members[row]` are the numbers of the texts, ascending, whose vector is that row."""

    vectorizer: TfidfVectorizer
    svd: TruncatedSVD | None
    neighbors: NearestNeighbors
    members: list[list[int]]

    def vector(self, text: str) -> Any:
        """Return the unit vector of a text, or None when it has no known word."""
        vector = self.vectorizer.transform([text])
        if self.svd is not None and vector.nnz:
            vector = self.svd.transform(vector)
            return _unit(vector)[0] if _lengths(vector)[0] > SHORTEST else None
        return vector if vector.nnz else None


class Index:
    """Searchable texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Index `texts`; those without a word are never found."""
        self._model = _fit(texts)

    def query(self, text: str, k: int) -> list[tuple[int, float]]:
        """Return up to `k` (number of the text, cosine similarity), best first.

        Similarities are above 0 to 1. Among equal ones the text that comes first is first.
        """
        if self._model is None:
            return []
        vector = self._model.vector(text)
        if vector is None:  # no known word: nothing is similar, rather than everything equally
            return []
        rows = _nearest(self._model.neighbors, vector, k)
        found = [(number, score) for row, score in rows for number in self._model.members[row][:k]]
        return sorted(found, key=lambda match: (-match[1], match[0]))[:k]


def _nearest(neighbors: NearestNeighbors, vector: Any, k: int) -> list[tuple[int, float]]:
    """Return (row, score) of the `k` nearest, and of all that are as near as the last of them.

    Which of equally near rows the k-th is, depends on how the search goes through them.
    """
    count = min(k + 1, neighbors.n_samples_fit_)
    found = _scores(*neighbors.kneighbors(vector, count))
    if count <= k or found[k - 1][1] > found[k][1]:
        return [match for match in found[:k] if match[1] > 0]
    last = found[k][1]
    if last <= 0:
        return [match for match in found if match[1] > 0]
    radius = float(np.sqrt(max(2 - 2 * (last - 10**-DIGITS), 0)))
    found = _scores(*neighbors.radius_neighbors(vector, radius))
    return [match for match in found if match[1] >= last]


def _scores(distances: Any, rows: Any) -> list[tuple[int, float]]:
    """Return (row, cosine) of unit vectors at these euclidean distances, best first."""
    cosines = np.clip(1 - np.asarray(distances[0], np.float64) ** 2 / 2, 0, 1).round(DIGITS)
    found = zip(rows[0].tolist(), cosines.tolist(), strict=True)
    return sorted(found, key=lambda match: (-match[1], match[0]))


def _fit(texts: Sequence[str]) -> _Model | None:
    if not any(map(words, texts)):
        return None
    vectorizer = TfidfVectorizer(analyzer=Vocabulary(), sublinear_tf=True, dtype=np.float32)
    vectors = vectorizer.fit_transform(texts)
    first, members = _grouped(vectors)
    vectors = vectors[first]
    svd = None
    if min(vectors.shape) >= MIN_FOR_SVD:
        components = min(MAX_COMPONENTS, min(vectors.shape) - 1)
        svd = TruncatedSVD(components, algorithm="randomized", random_state=SEED)
        vectors = svd.fit_transform(vectors)
        vectors, kept = _unit(vectors)
        members = [members[row] for row in kept]
    if not members:
        return None
    # Euclidean, on vectors of length 1: in the order of the cosine, and scikit-learn searches it
    # without the copy of all vectors that its own cosine makes for each question.
    neighbors = NearestNeighbors(metric="euclidean", algorithm="brute").fit(vectors)
    return _Model(vectorizer, svd, neighbors, members)


def _grouped(vectors: Any) -> tuple[list[int], list[list[int]]]:
    """Return the first row of each different vector, and the rows of each; empty ones left out."""
    groups: dict[bytes, list[int]] = {}
    ends = vectors.indptr.tolist()
    for row, (start, end) in enumerate(pairwise(ends)):
        if start < end:
            key = vectors.indices[start:end].tobytes() + vectors.data[start:end].tobytes()
            groups.setdefault(key, []).append(row)
    members = list(groups.values())
    return [rows[0] for rows in members], members


def _lengths(vectors: Any) -> Any:
    return np.linalg.norm(vectors, axis=1)


def _unit(vectors: Any) -> tuple[Any, list[int]]:
    """Return the vectors at length 1, without those that have next to none, and their rows."""
    lengths = _lengths(vectors)
    kept = np.flatnonzero(lengths > SHORTEST)
    return vectors[kept] / lengths[kept, None], kept.tolist()
