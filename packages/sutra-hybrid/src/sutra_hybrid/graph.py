"""The associations, as columns of numbers: 13 bytes for each end of one."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from sutra_hybrid.corpus import Corpus
from sutra_hybrid.words import kind_words


class Edge(NamedTuple):
    """An association seen from one end: the concept at the other, and whether it points there."""

    other: int
    kind: str
    weight: float
    forward: bool


class Graph:
    """Associations by concept, each seen from both ends, strongest first.

    Equal weights are ordered by the other concept, the kind and the direction, so that the order
    in which they were stored does not matter.
    """

    def __init__(self, corpus: Corpus) -> None:
        """Sort the associations of a corpus."""
        self._kinds = sorted(corpus.kinds)
        self._by_word = _by_word(self._kinds)
        rank = np.zeros(len(self._kinds), np.int32)
        for number, name in enumerate(self._kinds):
            rank[corpus.kinds[name]] = number
        sources, targets = (np.array(side, np.int32) for side in (corpus.sources, corpus.targets))
        kinds = np.tile(rank[np.array(corpus.kind_numbers, np.int32)], 2)
        weights = np.tile(np.array(corpus.weights, np.float32), 2)
        near, far = np.concatenate([sources, targets]), np.concatenate([targets, sources])
        backward = np.repeat(np.array([0, 1], np.int8), len(sources))
        order = np.lexsort((backward, kinds, far, -weights, near))
        self._columns = [column[order] for column in (far, kinds, weights, backward)]
        self._starts = np.searchsorted(near[order], np.arange(len(corpus.texts) + 1))

    def __len__(self) -> int:
        """Return the number of associations."""
        return len(self._columns[0]) // 2

    def named(self, words: frozenset[str]) -> dict[int, frozenset[str]]:
        """Return the words of each kind, by its number, whose words are all among `words`."""
        near = (number for word in words for number in self._by_word.get(word, ()))
        names = {number: kind_words(self._kinds[number]) for number in near}
        return {number: name for number, name in names.items() if name <= words}

    def edges(
        self, concept: int, most: int, kinds: Mapping[int, object] | None = None
    ) -> Iterator[Edge]:
        """Yield the `most` strongest associations of a concept, of these kinds only."""
        here = slice(int(self._starts[concept]), int(self._starts[concept + 1]))
        columns: list[Any] = [column[here] for column in self._columns]
        if kinds is not None:
            wanted = np.isin(columns[1], list(kinds))
            columns = [column[wanted] for column in columns]
        rows = zip(*(column[:most].tolist() for column in columns), strict=True)
        for far, kind, weight, backward in rows:
            # the weight as it was written, not the nearest 32 bit number
            yield Edge(far, self._kinds[kind], round(weight, 6), not backward)


def _by_word(kinds: list[str]) -> dict[str, list[int]]:
    """Return the numbers of the kinds by the first of their words."""
    numbers: dict[str, list[int]] = {}
    for number, kind in enumerate(kinds):
        if name := kind_words(kind):
            numbers.setdefault(min(name), []).append(number)
    return numbers
