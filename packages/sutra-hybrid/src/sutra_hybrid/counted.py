"""The metrics of this service beside those that all services have."""

from collections.abc import Iterator

from sutra_hybrid.refresh import Refresher
from sutra_service.web.metrics import Metrics, gauge


class HybridMetrics(Metrics):
    """Metrics of the service and of the index it answers from."""

    refresher: Refresher | None = None

    def render(self) -> str:
        """Return everything in the text format."""
        lines = _index(self.refresher) if self.refresher else ()
        return super().render() + "".join(f"{line}\n" for line in lines)


def _index(refresher: Refresher) -> Iterator[str]:
    yield from refresher.builds.lines()
    up = int(refresher.failing is None)
    yield from gauge("sutra_index_storage_up", "1 when the last refresh was well.", up)
    snapshot = refresher.snapshot
    if snapshot is None:
        return
    yield from gauge("sutra_index_concepts", "Concepts in the index.", len(snapshot.ids))
    yield from gauge("sutra_index_associations", "Associations in it.", len(snapshot.graph))
    complete = int(snapshot.complete)
    yield from gauge("sutra_index_complete", "0 when the store is over a limit.", complete)
    yield from gauge("sutra_index_build_seconds", "Time of its build.", snapshot.seconds)
    built = snapshot.built_at.timestamp()
    yield from gauge("sutra_index_built_timestamp_seconds", "When, in Unix seconds.", built)
