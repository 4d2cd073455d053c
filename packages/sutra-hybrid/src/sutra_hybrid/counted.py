"""What this service counts beyond what all services do."""

from sutra_client.metrics import Metrics
from sutra_hybrid.refresh import Refresher


class HybridMetrics(Metrics):
    """Metrics of the service and of the index it answers from."""

    refresher: Refresher | None = None

    def render(self) -> str:
        """Return everything in the text format."""
        return super().render() + "".join(self._index())

    def _index(self) -> list[str]:
        if self.refresher is None:
            return []
        snapshot = self.refresher.snapshot
        lines = [
            _lines("builds_total", "counter", "Indexes built.", self.refresher.builds),
            _lines(
                "storage_up",
                "gauge",
                "1 when the last refresh reached the storage.",
                int(self.refresher.failing is None),
            ),
        ]
        if snapshot:
            lines += [
                _lines("concepts", "gauge", "Concepts in the index.", len(snapshot.ids)),
                _lines("associations", "gauge", "Associations in it.", len(snapshot.graph)),
                _lines("complete", "gauge", "0 over a limit.", int(snapshot.complete)),
                _lines("build_seconds", "gauge", "Time of the last build.", snapshot.seconds),
                _lines(
                    "built_timestamp_seconds",
                    "gauge",
                    "When, in Unix seconds.",
                    snapshot.built_at.timestamp(),
                ),
            ]
        return lines


def _lines(name: str, kind: str, text: str, value: float) -> str:
    full = f"sutra_index_{name}"
    return f"# HELP {full} {text}\n# TYPE {full} {kind}\n{full} {value!r}\n"
