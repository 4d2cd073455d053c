"""The image that is to be built again: what the ledger says of it, and where it can be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scripts.common.errors import SutraError
from scripts.engine import client as engine
from scripts.engine import images
from scripts.history import ledger
from scripts.history.ledger import Entry, Promoted

HISTORY = "`make history` shows what was promoted"


@dataclass(frozen=True)
class Chosen:
    """An image of a promotion. `reference` is where it is read; `commit` is what it is of."""

    name: str
    reference: str
    commit: str


def choose(client: engine.Client, entries: Sequence[Entry], name: str, digest: str) -> Chosen:
    """Return the image of the current promotion, or the one that `digest` begins.

    Raises SutraError if there was no promotion, if it is gone, or if no commit has it.
    """
    entry, image = _find(entries, name, digest)
    if image.revision in ("", "unknown") or image.revision.endswith("-dirty"):
        raise SutraError(
            f'reproduce: {name}: of no clean commit "{image.revision}"',
            "only what was built from a commit can be built from it again",
        )
    if images.inspect(client, image.id):
        return Chosen(name, image.id, image.revision)
    if entry.registry and image.digest:
        reference = f"registry:{entry.registry}/{name}@{image.digest}"
        return Chosen(name, reference, image.revision)
    raise SutraError(f'reproduce: image no longer exists "{name}@{image.id}"', HISTORY)


def _find(entries: Sequence[Entry], name: str, digest: str) -> tuple[Entry, Promoted]:
    listed = [entries[entries[-1].of - 1]] if entries and not digest else reversed(entries)
    digits = digest.removeprefix("sha256:")
    for entry in listed:
        image = entry.images.get(name)
        digests = (image.id, image.digest) if image else ()
        if image and any(
            known_digest.removeprefix("sha256:").startswith(digits)
            for known_digest in digests
            if known_digest
        ):
            return entry, image
    if digest:
        raise SutraError(f'DIGEST: {name}: was never promoted "{digest}"', HISTORY)
    raise SutraError(f'reproduce: "{name}" was not promoted (by {ledger.LEDGER})', HISTORY)
