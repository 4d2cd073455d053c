"""Answer a question: the concept, how sure the answer is, and the path of associations.

A question enters the store at the concepts that are similar to it. Where it names, in words that
the concept itself does not hold, the kind of an association of that concept ("what is Paris the
capital of", `capital_of`), the answer is where such associations lead; otherwise it is the concept.

    confidence = (1 - (1 - similarity) × (1 - named)) × weights

with the similarity of the concept where the question enters, the share of the question's words that
name the kinds that were followed, and the product of the weights of these associations (0 and 1
when none was). The answer is the one with the highest confidence.

Each factor is from 0 to 1, so the confidence is. Which associations are followed from a concept
does not depend on similarities, so the confidence never falls when a similarity rises.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sutra_hybrid.graph import Edge, Graph
from sutra_hybrid.words import kind_words, words

DIGITS = 6
MAX_STEPS = 3
# Bound the time of a question in any store: of each concept and of all paths, the strongest.
MAX_EDGES = 100
MAX_PATHS = 50


class Step(NamedTuple):
    """A concept on a path, and the association that led to it: None where the path starts."""

    concept: int
    edge: Edge | None = None


class Path(NamedTuple):
    """Steps from where it starts; `weight` is the product of the weights of its associations."""

    steps: tuple[Step, ...]
    weight: float = 1.0

    @property
    def end(self) -> int:
        """Return the concept where it ends."""
        return self.steps[-1].concept

    @property
    def rank(self) -> tuple[float, int, tuple[int, ...], tuple[str, ...]]:
        """Return what paths are sorted by: the strongest, then the shortest, then by id."""
        concepts = tuple(step.concept for step in self.steps)
        kinds = tuple(step.edge.kind for step in self.steps if step.edge)
        return (-round(self.weight, DIGITS), len(concepts), concepts, kinds)

    @property
    def named(self) -> frozenset[str]:
        """Return the words of the kinds of its associations."""
        kinds = (kind_words(step.edge.kind) for step in self.steps if step.edge)
        return frozenset().union(*kinds)


@dataclass(frozen=True)
class Answer:
    """The confidence, above 0 to 1, and the path that ends at the concept that answers."""

    confidence: float
    steps: tuple[Step, ...]


class Asked:
    """A question, the (concept, similarity) it enters at, and where it is asked."""

    def __init__(
        self,
        question: str,
        matches: Sequence[tuple[int, float]],
        texts: Sequence[str],
        graph: Graph,
    ) -> None:
        """Split the question into words."""
        self._words = frozenset(words(question))
        self._matches = matches
        self._texts = texts
        self._graph = graph

    def answer(self) -> Answer | None:
        """Return the answer, or None when nothing is similar to the question."""
        scored = [(self._named(match), score) for match, score in self._matches]
        if not scored:
            return None
        # -confidence, then the strongest, shortest path, then by id
        least, _, best = min((-self._value(path, score), path.rank, path) for path, score in scored)
        steps = best.steps if len(best.steps) > 1 else self._support(best.end)
        return Answer(max(-least, 10**-DIGITS), steps)

    def _value(self, path: Path, similarity: float) -> float:
        """Return the confidence in the end of a path."""
        named = len(path.named) / max(len(self._words), 1)
        return round((1 - (1 - similarity) * (1 - named)) * path.weight, DIGITS)

    def _named(self, match: int) -> Path:
        """Return the strongest path along named kinds, each once, as far as there is a way."""
        best = Path((Step(match),))
        kinds, front = self._graph.named(self._missing(match)), [best]
        for _ in range(MAX_STEPS if kinds else 0):
            front = _strongest(path for here in front for path in self._along(here, kinds))
            if not front:
                break
            best = front[0]
        return best

    def _support(self, end: int) -> tuple[Step, ...]:
        """Return the strongest path to `end` from a match that holds other words of the question.

        It explains only: the confidence is that of the answer's own similarity.
        """
        missing = self._missing(end)
        starts = {
            match: score
            for match, score in self._matches
            if match != end and missing & {*words(self._texts[match])}
        }
        paths, front = [], [Path((Step(end),))]
        for _ in range(MAX_STEPS if starts else 0):
            front = _strongest(path for here in front for path in self._along(here))
            paths += [
                path._replace(weight=path.weight * starts[path.end])
                for path in front
                if path.end in starts
            ]
        return _reversed(min(paths, key=lambda path: path.rank)) if paths else (Step(end),)

    def _along(
        self, path: Path, kinds: Mapping[int, frozenset[str]] | None = None
    ) -> Iterator[Path]:
        """Yield the paths that go one association on; of `kinds`, those not yet followed."""
        used = {kind_words(step.edge.kind) for step in path.steps if step.edge}
        left = kinds and {number: name for number, name in kinds.items() if name not in used}
        visited = {step.concept for step in path.steps}
        for edge in self._graph.edges(path.end, MAX_EDGES, left):
            if edge.other not in visited:
                step = Step(edge.other, edge)
                yield Path((*path.steps, step), path.weight * edge.weight)

    def _missing(self, concept: int) -> frozenset[str]:
        return self._words - {*words(self._texts[concept])}


def _strongest(paths: Iterator[Path]) -> list[Path]:
    """Return the strongest path to each concept, at most MAX_PATHS, best first."""
    best: dict[int, Path] = {}
    for path in sorted(paths, key=lambda path: path.rank):
        best.setdefault(path.end, path)
    return list(best.values())[:MAX_PATHS]


def _reversed(path: Path) -> tuple[Step, ...]:
    """Return the steps from the end of a path to its start."""
    steps = [Step(path.end)]
    for to, step in zip(path.steps[-2::-1], path.steps[:0:-1], strict=True):
        assert step.edge is not None
        edge = step.edge._replace(other=to.concept, forward=not step.edge.forward)
        steps.append(Step(to.concept, edge))
    return tuple(steps)
