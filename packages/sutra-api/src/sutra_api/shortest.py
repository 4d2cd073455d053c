"""The shortest path of associations between two concepts: breadth first, from both ends.

From both ends because the number of concepts grows by a factor with each step: two searches of
half the depth see far fewer than one of the whole. Of several shortest paths the same one is
returned for the same store, whatever order the answers of the storage arrive in.
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sutra_api.models import ConceptPath
from sutra_service.client.records import Association
from sutra_service.client.storage import NotFound, StorageClient
from sutra_service.web.problem import Refusal

MAX_DEPTH = 16
# Concepts seen from both ends: bounds the memory of one request to some megabytes.
MAX_SEEN = 10_000
# Longer than one call of the storage may take: that one being down is not a bound met.
SECONDS = 3.0
# How many concepts one request asks for at the same time, a page of each.
AT_ONCE = 4

Seen = dict[str, Association | None]
# Of a concept that is reached: the best way to it, and by what it is better than another.
Rank = tuple[int, float, str]
Reached = dict[str, tuple[Rank, Association]]


@dataclass
class Side:
    """The search from one end: seen concepts, the association that led to each, and the front."""

    start: str
    along: bool  # whether it follows associations from source to target
    seen: Seen = field(default_factory=dict)
    front: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Stand at the start."""
        self.seen[self.start] = None
        self.front = [self.start]


async def shortest(
    storage: StorageClient, source: str, target: str, depth: int, directed: bool
) -> ConceptPath:
    """Return a shortest path of at most `depth` associations.

    Directed: each from source to target; otherwise either way. Raises NotFound when a concept is
    missing, Refusal 404 when there is no path, and Refusal 422 when a bound was met before that
    was known.
    """
    try:
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(storage.get_concept(source), storage.get_concept(target))
            return await _search(storage, source, target, depth, directed)
    except TimeoutError:
        raise _bound("time", f"no path found in {SECONDS:g} s") from None


async def _search(
    storage: StorageClient, source: str, target: str, depth: int, directed: bool
) -> ConceptPath:
    ahead, back = Side(source, True), Side(target, False)
    meeting = [source] if source == target else []
    steps = 0
    while not meeting:
        if not (ahead.front and back.front):
            raise Refusal(404, "no-path", "No Path", f'no path from "{source}" to "{target}"')
        if steps == depth:
            raise _bound("depth", f"no path of at most {depth} associations")
        side, other = (ahead, back) if len(ahead.front) <= len(back.front) else (back, ahead)
        await _step(storage, side, MAX_SEEN - len(other.seen), directed)
        meeting = sorted(other.seen.keys() & side.front)
        steps += 1
    return _joined(ahead.seen, back.seen, meeting[0])


async def _step(storage: StorageClient, side: Side, room: int, directed: bool) -> None:
    """Move the front of `side` one association on.

    No more of what it reads is kept than the best way to each concept: one with a hundred thousand
    associations takes no more memory than another.
    """
    front, side.front = side.front, []
    for start in range(0, len(front), AT_ONCE):
        reached: Reached = {}
        some = enumerate(front[start : start + AT_ONCE])
        await asyncio.gather(
            *(_reach(storage, side, room, directed, reached, *part) for part in some)
        )
        for there, (_, association) in reached.items():
            side.seen[there] = association
            side.front.append(there)
    side.front.sort()


async def _reach(
    storage: StorageClient,
    side: Side,
    room: int,
    directed: bool,
    reached: Reached,
    number: int,
    here: str,
) -> None:
    """Note in `reached` where one step from `here` leads, page by page.

    The first of the front wins, then the strongest association, then the kind. Raises Refusal.
    """
    try:
        async for page in storage.association_pages(here):
            for there, association in _steps(here, page.associations, side.along, directed):
                rank = (number, -association.weight, association.kind)
                if there not in side.seen and (there not in reached or rank < reached[there][0]):
                    reached[there] = rank, association
            if len(side.seen) + len(reached) > room:
                raise _bound("seen", f"no path among the first {MAX_SEEN} concepts")
    except NotFound:  # removed while we were searching
        pass


def _steps(
    here: str, associations: Iterable[Association], along: bool, directed: bool
) -> Iterator[tuple[str, Association]]:
    """Yield where one step leads."""
    for association in associations:
        near, far = association.source, association.target
        if not along:
            near, far = far, near
        if near == here:
            yield far, association
        elif not directed and far == here:
            yield near, association


def _joined(ahead: Seen, back: Seen, meeting: str) -> ConceptPath:
    """Return the path from the one start over `meeting` to the other."""
    first = _to_start(ahead, meeting)
    rest = _to_start(back, meeting)
    concepts = [name for name, _ in reversed(first)] + [meeting] + [name for name, _ in rest]
    associations = [link for _, link in reversed(first)] + [link for _, link in rest]
    return ConceptPath(concepts, associations)


def _to_start(seen: Seen, here: str) -> list[tuple[str, Association]]:
    """Return the concepts from `here`, without it, to where its side started."""
    steps = []
    while (association := seen[here]) is not None:
        here = association.source if association.target == here else association.target
        steps.append((here, association))
    return steps


def _bound(name: str, detail: str) -> Refusal:
    return Refusal(
        422, "bound-met", "Bound Met", f"{detail}: there may be a longer one", bound=name
    )
