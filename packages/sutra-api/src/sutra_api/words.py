"""Search by word: concepts whose id or text hold every word that was asked for.

The storage keeps no index of words, so pages of concepts are read in id order and searched here.
One request reads `MAX_SCANNED` concepts or `SECONDS` long, whichever ends first, and says where to
go on. An index in this process would answer sooner, but every copy of the API would hold the whole
store, and be stale between two looks at its revision; what is read is always what is stored.
"""

import re
import time
import unicodedata
from collections.abc import Callable

from sutra_api.models import Found
from sutra_service.client.records import Concept
from sutra_service.client.storage import StorageClient

MAX_SCANNED = 20_000
SECONDS = 1.0
PAGE = 1000

_WORD = re.compile(r"\w+")


def fold(text: str) -> str:
    """Return `text` so that what reads the same is the same: NFKC, without case."""
    return unicodedata.normalize("NFKC", text).casefold()


def words_of(query: str) -> frozenset[str]:
    """Return the words of a query; raise ValueError when it has none."""
    words = frozenset(_WORD.findall(fold(query)))
    if not words:
        raise ValueError("must hold a word: letters, digits or _")
    return words


def holds(concept: Concept, words: frozenset[str]) -> bool:
    """Return whether a concept's id and text hold all of these folded words, as whole words."""
    text = fold(f"{concept.id}\n{concept.text}")
    # most texts are passed over by the first test, which is some ten times faster than the second
    return all(word in text for word in words) and words <= set(_WORD.findall(text))


async def search(
    storage: StorageClient,
    words: frozenset[str],
    after: str | None,
    limit: int,
    clock: Callable[[], float] = time.monotonic,
) -> Found:
    """Return up to `limit` concepts that hold `words`, with ids that follow `after`."""
    concepts: list[Concept] = []
    scanned = 0
    end = clock() + SECONDS
    async for page in storage.pages(PAGE, after):
        for concept in page.concepts:
            scanned += 1
            if holds(concept, words):
                concepts.append(concept)
                if len(concepts) == limit:
                    last = concept is page.concepts[-1] and page.next is None
                    return Found(concepts, scanned, None if last else concept.id)
        if page.next and (scanned >= MAX_SCANNED or clock() >= end):
            return Found(concepts, scanned, page.next)
    return Found(concepts, scanned, None)
