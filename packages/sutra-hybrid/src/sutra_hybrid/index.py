"""The index: a pure function of the texts. The same texts give the same answers.

The similarity of a question and a text is the mean of two cosines: of their TF-IDF vectors (the
words they share) and of these reduced by a truncated SVD (words that go together elsewhere). Either
alone is worse: without the first, a rare word counts for next to nothing in a large store.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from sutra_hybrid.words import Vocabulary, words

# Below this many different texts or words an SVD has nothing to summarise.
MIN_FOR_SVD = 16
MAX_COMPONENTS = 100
SEED = 0
# Similarities are rounded, so that the last bits of a float do not decide an order.
DIGITS = 6
# Less is noise of the SVD.
LEAST = 0.001
# A vector that the SVD left shorter than this has no direction to compare.
SHORTEST = 1e-5


class Index:
    """Searchable texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Index `texts`, each by its number; those without a word are never found."""
        self.components = 0
        # numbers of the texts that have the same vector, ascending, for each different vector
        self._members: list[list[int]] = []
        if not any(map(words, texts)):
            return
        self._vectorizer = TfidfVectorizer(
            analyzer=Vocabulary(), sublinear_tf=True, dtype=np.float32
        )
        vectors = self._vectorizer.fit_transform(texts)
        first, self._members = _grouped(vectors)
        self._vectors = vectors[first]
        if min(self._vectors.shape) >= MIN_FOR_SVD:
            self.components = min(MAX_COMPONENTS, min(self._vectors.shape) - 1)
            svd = TruncatedSVD(self.components, algorithm="randomized", random_state=SEED)
            self._reduced = _unit(svd.fit_transform(self._vectors))
            # By word: the SVD's own `transform` copies all of it for each question.
            self._by_word = np.ascontiguousarray(svd.components_.T)

    def query(self, text: str, k: int) -> list[tuple[int, float]]:
        """Return up to `k` (number of the text, similarity), best first.

        Similarities are LEAST to 1. Among equal ones the text that comes first is first.
        """
        if not self._members:
            return []
        vector = self._vectorizer.transform([text])
        if vector.nnz == 0:  # no known word: nothing is similar, rather than everything equally
            return []
        scores = self._scores(vector)
        # ties with the last one are included: their row numbers decide the order
        least = max(np.partition(scores, -k)[-k] if k < len(scores) else 0, LEAST)
        rows = np.flatnonzero(scores >= least).tolist()
        matches = [
            (number, score)
            for row, score in zip(rows, scores[rows].tolist(), strict=True)
            for number in self._members[row][:k]
        ]
        return sorted(matches, key=lambda match: (-match[1], match[0]))[:k]

    def _scores(self, vector: Any) -> Any:
        """Return the similarity, 0 to 1, of each different vector."""
        scores = self._vectors @ vector.toarray()[0]
        if self.components:
            reduced = _unit((vector.data @ self._by_word[vector.indices])[None])[0]
            scores = (scores + self._reduced @ reduced) / 2
        return np.clip(scores.astype(np.float64), 0, 1).round(DIGITS)


def _grouped(vectors: Any) -> tuple[list[int], list[list[int]]]:
    """Return the first row of each different vector, and the rows of each; empty ones left out."""
    groups: dict[bytes, list[int]] = {}
    for row, (start, end) in enumerate(pairwise(vectors.indptr.tolist())):
        if start < end:
            key = vectors.indices[start:end].tobytes() + vectors.data[start:end].tobytes()
            groups.setdefault(key, []).append(row)
    members = list(groups.values())
    return [rows[0] for rows in members], members


def _unit(vectors: Any) -> Any:
    """Return the vectors at length 1; one without a direction at length 0."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(lengths > SHORTEST, vectors / np.maximum(lengths, SHORTEST), 0)
