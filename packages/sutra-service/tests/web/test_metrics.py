import pytest
from prometheus_client.parser import text_string_to_metric_families

from sutra_service.web.metrics import BUCKETS, Counter, Histogram, Metrics


def test_a_counter() -> None:
    counter = Counter("sutra_x_total", "Things.", ("kind",))
    counter.add('a"\\\n')
    for _ in range(1_234_567):
        counter.add("b")
    assert list(counter.lines()) == [
        "# HELP sutra_x_total Things.",
        "# TYPE sutra_x_total counter",
        'sutra_x_total{kind="a\\"\\\\\\n"} 1',
        'sutra_x_total{kind="b"} 1234567',
    ]


@pytest.mark.parametrize(
    ("seconds", "first"), [(0.0, 0.001), (0.001, 0.001), (0.0011, 0.0025), (2.5, 2.5), (2.6, None)]
)
def test_a_bucket_holds_its_bound(seconds: float, first: float | None) -> None:
    histogram = Histogram("sutra_x_seconds", "Time.", ("route",))
    histogram.observe(seconds, "/a")
    (family,) = text_string_to_metric_families("\n".join(histogram.lines()) + "\n")
    buckets = {s.labels["le"]: s.value for s in family.samples if s.name.endswith("_bucket")}
    expected = {str(bound): float(first is not None and bound >= first) for bound in BUCKETS}
    assert buckets == {**expected, "+Inf": 1.0}
    rest = {s.name: s.value for s in family.samples if not s.name.endswith("_bucket")}
    assert rest == {"sutra_x_seconds_sum": seconds, "sutra_x_seconds_count": 1.0}


def test_all_of_it_can_be_read() -> None:
    metrics = Metrics()
    metrics.request("GET", "/a", 200, 0.1)
    metrics.storage_call("GET", "ok", 0.01)
    metrics.storage_call("GET", "refused", 0.02)
    families = {f.name: f for f in text_string_to_metric_families(metrics.render())}
    assert set(families) == {
        "sutra_http_requests_in_flight",
        "sutra_http_requests",
        "sutra_http_request_seconds",
        "sutra_storage_calls",
        "sutra_storage_call_seconds",
        "process_cpu_seconds",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_start_time_seconds",
    }
    calls = {tuple(s.labels.values()): s.value for s in families["sutra_storage_calls"].samples}
    assert calls == {("GET", "ok"): 1, ("GET", "refused"): 1}
