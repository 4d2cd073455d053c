"""Keeps the snapshot up to date with the storage, without ever blocking an answer."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

from sutra_hybrid import background
from sutra_hybrid.corpus import Corpus, Limits, read
from sutra_hybrid.errors import BuildFailed, NotReady
from sutra_hybrid.snapshot import Snapshot, make
from sutra_service.client.storage import StorageClient, StorageError
from sutra_service.web.metrics import Counter

logger = logging.getLogger(__name__)

# While the store changes all the time, at most one part in this many goes to building.
REST = 4
# How long a question waits for the first snapshot.
PATIENCE = 30.0
# Number of failed builds in a row after which the service reports "failed": one may be bad luck.
FAILURES = 3

Make = Callable[[Corpus, Snapshot | None], Snapshot]


class Refresher:
    """Holds the current snapshot and replaces it whole when the store has changed.

    `failing` says what is wrong with the storage, or is None; `builds` counts snapshots, by
    whether their index is "new", was "kept" because no text had changed, or "failed".
    """

    def __init__(
        self, storage: StorageClient, limits: Limits | None = None, make: Make = make
    ) -> None:
        """Start without a snapshot."""
        self.snapshot: Snapshot | None = None
        self.failing: StorageError | None = None
        self._broken: BuildFailed | None = None
        self._failures = 0
        self.builds = Counter("sutra_index_builds_total", "Snapshots made.", ("index",))
        self._storage = storage
        self._limits = limits or Limits()
        self._make = make
        self._lock = asyncio.Lock()
        self._tried = asyncio.Event()
        self._turn: asyncio.Task[bool] | None = None

    async def ready(self) -> Snapshot:
        """Return the snapshot; wait for the first one while it is being made.

        Raises NotReady: it takes too long, or could not be made.
        """
        if self.snapshot is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self._tried.wait()
        if self.snapshot is None:
            why = self.failing or self._broken or "the first index is being built"
            raise NotReady(str(why))
        return self.snapshot

    @property
    def broken(self) -> str | None:
        """Say why no index can be built, once FAILURES builds in a row have failed."""
        return str(self._broken) if self._failures >= FAILURES else None

    async def refresh_now(self) -> None:
        """Read everything and rebuild. Who asks while others wait for that shares their turn.

        What is being built already does not count: it may have read the storage too early.
        """
        if self._turn is None:
            self._turn = asyncio.create_task(self.refresh(force=True))
        await asyncio.shield(self._turn)  # the others' as well

    async def refresh(self, force: bool = False) -> bool:
        """Make a snapshot if the storage's revision is another; return whether one was made.

        Raises StorageError or BuildFailed, keeping the old one.
        """
        async with self._lock:
            if force:
                self._turn = None
            try:
                is_new = await self._refresh(force)
                self.failing = self._broken = None
                self._failures = 0
            except StorageError as error:
                self.failing = error
                raise
            except BuildFailed as error:
                self._note(error)
                raise
            finally:
                self._tried.set()
            return is_new

    def _note(self, error: BuildFailed) -> None:
        """Count a failed build, for which the storage was well; log each reason once."""
        self.failing = None
        self._failures += 1
        self.builds.add("failed")
        if str(error) != str(self._broken):
            logger.error("index not built: %s", error, exc_info=error.__cause__)
        self._broken = error

    async def _refresh(self, force: bool) -> bool:
        before = self.snapshot
        if before is not None and not force:
            revision = (await self._storage.stats()).revision
            if revision is not None and revision == before.revision:
                return False
        start = time.perf_counter()
        corpus = await read(self._storage, self._limits)
        reading = time.perf_counter() - start
        try:
            after = await background.run(partial(self._make, corpus, before))
        except BuildFailed:
            raise
        except Exception as error:  # anything from numpy, scipy or the disk: logged with its cause
            raise BuildFailed("unexpected error") from error
        self.snapshot = after
        kept = before is not None and before.index is after.index
        self.builds.add("kept" if kept else "new")
        fields = {
            "concepts": len(after.ids),
            "associations": len(after.graph),
            "revision": after.revision,
            "complete": after.complete,
            "kept": kept,
            "read_seconds": round(reading, 3),
            "build_seconds": round(after.seconds, 3),
        }
        level = logging.INFO if after.complete else logging.WARNING
        logger.log(level, "index built", extra={"fields": fields})
        return True

    @asynccontextmanager
    async def running(self, interval: float) -> AsyncIterator[None]:
        """Refresh now and again, until the block is left: `interval` seconds after each refresh.

        Later after one that took long (see REST).
        """
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
            start = time.monotonic()
            try:
                await self.refresh()
                failing = False
            except StorageError as error:
                if not failing:  # once an outage, not every few seconds
                    logger.warning("index not refreshed: %s", error)
                failing = True
            except BuildFailed:  # noted
                failing = False
            except Exception:  # one bad turn does not end the refreshing
                logger.exception("index not refreshed")
            took = time.monotonic() - start
            await asyncio.sleep(max(interval, (REST - 1) * took))
