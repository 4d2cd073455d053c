"""Keeps the index up to date with the storage, without ever blocking an answer."""

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from sutra_client.storage import Concept, StorageClient, StorageError
from sutra_hybrid.index import Index, build

logger = logging.getLogger(__name__)

# Small pages: one is parsed between two answers.
PAGE_SIZE = 200


@dataclass(frozen=True)
class Snapshot:
    """An index, the digest of the concepts it was built from, and when (None: never)."""

    index: Index
    digest: str | None = None
    built_at: datetime | None = None


class Refresher:
    """Holds the current snapshot and replaces it whole when the concepts have changed."""

    def __init__(self, storage: StorageClient) -> None:
        """Start with an empty index; `tried` says whether a refresh has ended, well or not."""
        self.snapshot = Snapshot(Index())
        self.tried = False
        self._storage = storage
        self._lock = asyncio.Lock()

    async def refresh(self, force: bool = False) -> bool:
        """Read all concepts and build an index if they changed; return whether it was built.

        The whole content is compared, since a text may change while the counts stay the same.
        Raises StorageError, keeping the old index.
        """
        async with self._lock:
            try:
                return await self._refresh(force)
            finally:
                self.tried = True

    async def _refresh(self, force: bool) -> bool:
        concepts, digest = await _read(self._storage)
        if digest == self.snapshot.digest and not force:
            return False
        index = await asyncio.to_thread(build, concepts)
        self.snapshot = Snapshot(index, digest, datetime.now(UTC))
        logger.info("index built from %d concepts", len(index.texts))
        return True

    @asynccontextmanager
    async def running(self, interval: float) -> AsyncIterator[None]:
        """Refresh now and `interval` seconds after each refresh, until the block is left."""
        task = asyncio.create_task(self._run(interval))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self, interval: float) -> None:
        failing = False
        while True:
            try:
                await self.refresh()
                failing = False
            except StorageError as error:
                if not failing:  # once an outage, not every few seconds
                    logger.warning("index not refreshed: %s", error)
                failing = True
            except Exception:
                logger.exception("index not refreshed")
            await asyncio.sleep(interval)


async def _read(storage: StorageClient) -> tuple[list[Concept], str]:
    """Return all concepts and a digest of what the index is built from: ids and texts."""
    concepts: list[Concept] = []
    digest = hashlib.sha256()
    async for page in storage.pages(PAGE_SIZE):
        concepts += page.concepts
        digest.update(json.dumps([[c.id, c.text] for c in page.concepts]).encode())
    return concepts, digest.hexdigest()
