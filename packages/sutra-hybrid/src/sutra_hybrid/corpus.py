"""What an index is built from: ids, texts and associations, read from the storage, bounded."""

from __future__ import annotations  # array[int] cannot be evaluated before Python 3.12

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field

from sutra_service.client.storage import Association, Concept, StorageClient
from sutra_service.settings import number

# Pages are parsed between two answers: so much text of one takes a few milliseconds.
PAGE_TEXT = 128 * 1024
FIRST_PAGE = 100
MAX_PAGE = 1000


@dataclass(frozen=True)
class Limits:
    """The most that is indexed: numbers of concepts and associations, bytes of ids and texts."""

    concepts: int = 100_000
    text_bytes: int = 128_000_000
    associations: int = 1_000_000


def limits(env: Mapping[str, str]) -> Limits:
    """Return the limits that the environment sets. Raises SettingsError."""
    megabytes = number(env, "SUTRA_MAX_TEXT_MB", default=128, low=1, high=10_000)
    return Limits(
        int(number(env, "SUTRA_MAX_CONCEPTS", default=100_000, low=1, high=10_000_000)),
        int(megabytes * 1e6),
        int(number(env, "SUTRA_MAX_ASSOCIATIONS", default=1_000_000, low=0, high=100_000_000)),
    )


@dataclass
class Corpus:
    """Texts by id, and associations as columns: rows of source and target, number of the kind.

    `complete` is False when a limit left something out.
    """

    revision: int | None = None
    texts: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    sources: array[int] = field(default_factory=lambda: array("i"))
    targets: array[int] = field(default_factory=lambda: array("i"))
    kind_numbers: array[int] = field(default_factory=lambda: array("i"))
    weights: array[float] = field(default_factory=lambda: array("f"))
    complete: bool = True

    def add(self, concept: Concept) -> None:
        """Add a concept."""
        self.texts[concept.id] = concept.text

    def sort(self) -> None:
        """Put the concepts in id order: rows are counted in it. Associations come afterwards."""
        self.texts = dict(sorted(self.texts.items()))
        self._rows = {concept_id: row for row, concept_id in enumerate(self.texts)}

    def link(self, association: Association) -> None:
        """Add an association; one of a concept that is not here, or of no weight, is left out."""
        source, target = self._rows.get(association.source), self._rows.get(association.target)
        if source is None or target is None or not association.weight > 0:
            return
        self.sources.append(source)
        self.targets.append(target)
        self.kind_numbers.append(self.kinds.setdefault(association.kind, len(self.kinds)))
        self.weights.append(min(association.weight, 1.0))


async def read(storage: StorageClient, most: Limits) -> Corpus:
    """Read everything, in id order, up to the limits.

    `revision` is the one before the first page: what was written meanwhile is read again.
    Raises StorageError.
    """
    corpus = Corpus((await storage.stats()).revision)
    await _read_concepts(storage, most, corpus)
    corpus.sort()
    await _read_associations(storage, most, corpus)
    return corpus


async def _read_concepts(storage: StorageClient, most: Limits, corpus: Corpus) -> None:
    after, limit, room = None, FIRST_PAGE, most.text_bytes
    while True:
        page = await storage.list_concepts(after, limit)
        size = 0
        for concept in page.concepts:
            size += len(concept.id.encode()) + len(concept.text.encode())
            if size > room or len(corpus.texts) == most.concepts:
                corpus.complete = False
                return
            corpus.add(concept)
        room -= size
        if page.next is None:
            return
        after = page.next
        limit = max(1, min(MAX_PAGE, limit * PAGE_TEXT // max(size, 1)))


async def _read_associations(storage: StorageClient, most: Limits, corpus: Corpus) -> None:
    after, seen = None, 0
    while True:
        page = await storage.association_page(None, after, MAX_PAGE)
        for association in page.associations:
            if seen == most.associations:
                corpus.complete = False
                return
            seen += 1
            corpus.link(association)
        if page.next is None:
            return
        after = page.next
