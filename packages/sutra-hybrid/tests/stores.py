"""Corpora and snapshots for tests, as if read from a storage."""

from collections.abc import Iterable, Mapping

from sutra_hybrid.corpus import Corpus
from sutra_hybrid.snapshot import Snapshot, make
from sutra_service.client.storage import Association, Concept

Link = tuple[str, str, str, float]


def corpus(texts: Mapping[str, str], links: Iterable[Link] = (), revision: int = 1) -> Corpus:
    """Return the corpus of these concepts and associations, added in the order given."""
    result = Corpus(revision)
    for concept_id, text in texts.items():
        result.add(Concept(concept_id, text))
    result.sort()
    for link in links:
        result.link(Association(*link))
    return result


def snapshot(texts: Mapping[str, str], links: Iterable[Link] = ()) -> Snapshot:
    """Return the snapshot of these concepts and associations."""
    return make(corpus(texts, links))
