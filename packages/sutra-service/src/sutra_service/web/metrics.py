"""Counters and histograms in Prometheus' text format 0.0.4, without its client library.

The library would add a second registry, a WSGI server and tens of milliseconds to every start;
what two services count fits below. https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import os
import resource
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Upper bounds in seconds.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

Labels = tuple[str, ...]


class Counter:
    """A number that only grows, for each combination of label values.

    Whoever counts sees to it that the combinations are few: never an id or a path as it was sent.
    """

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        """Name it, say what it counts, and name its labels."""
        self.name, self.text, self.labels = name, text, tuple(labels)
        self.values: dict[Labels, int] = {}

    def add(self, *values: str) -> None:
        """Count one for these label values."""
        self.values[values] = self.values.get(values, 0) + 1

    def lines(self) -> Iterator[str]:
        """Yield the lines of its exposition."""
        yield from _head(self.name, self.text, "counter")
        for values, number in sorted(self.values.items()):
            yield f"{self.name}{_braces(self.labels, values)} {number}"


class Histogram:
    """How many seconds things took, for each combination of label values."""

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        """Name it, say what it measures, and name its labels."""
        self.name, self.text, self.labels = name, text, tuple(labels)
        self.counts: dict[Labels, list[int]] = {}
        self.sums: dict[Labels, float] = {}

    def observe(self, seconds: float, *values: str) -> None:
        """Count one that took `seconds`."""
        counts = self.counts.setdefault(values, [0] * (len(BUCKETS) + 1))
        counts[bisect_left(BUCKETS, seconds)] += 1
        self.sums[values] = self.sums.get(values, 0.0) + seconds

    def lines(self) -> Iterator[str]:
        """Yield the lines of its exposition: each bucket holds all below its bound."""
        yield from _head(self.name, self.text, "histogram")
        for values, counts in sorted(self.counts.items()):
            total = 0
            for bound, count in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
                total += count
                braces = _braces((*self.labels, "le"), (*values, bound))
                yield f"{self.name}_bucket{braces} {total}"
            yield f"{self.name}_sum{_braces(self.labels, values)} {self.sums[values]!r}"
            yield f"{self.name}_count{_braces(self.labels, values)} {total}"


class Metrics:
    """What one service counts."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.in_flight = 0
        self.requests = Counter(
            "sutra_http_requests_total", "Requests answered.", ("method", "route", "status")
        )
        self.seconds = Histogram(
            "sutra_http_request_seconds", "Time to answer a request.", ("route",)
        )
        self.storage_calls = Counter(
            "sutra_storage_calls_total", "Calls of the storage by outcome.", ("method", "outcome")
        )
        self.storage_seconds = Histogram(
            "sutra_storage_call_seconds", "Time of a call of the storage.", ("method",)
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self.requests.add(method, route, str(status))
        self.seconds.observe(seconds, route)

    def storage_call(self, method: str, outcome: str, seconds: float) -> None:
        """Count a call of the storage."""
        self.storage_calls.add(method, outcome)
        self.storage_seconds.observe(seconds, method)

    def render(self) -> str:
        """Return everything in the text format."""
        lines = [*gauge("sutra_http_requests_in_flight", "Requests begun.", self.in_flight)]
        for metric in (self.requests, self.seconds, self.storage_calls, self.storage_seconds):
            lines += metric.lines()
        return "\n".join([*lines, *_process()]) + "\n"


def _process() -> Iterator[str]:
    """Yield the process metrics under the names that dashboards know."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    yield from _head("process_cpu_seconds_total", "CPU time in seconds.", "counter")
    yield f"process_cpu_seconds_total {usage.ru_utime + usage.ru_stime!r}"
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    resident = pages * resource.getpagesize()
    yield from gauge("process_resident_memory_bytes", "Resident memory in bytes.", resident)
    descriptors = len(os.listdir("/proc/self/fd"))
    yield from gauge("process_open_fds", "Open file descriptors.", descriptors)
    yield from gauge("process_start_time_seconds", "Start, in Unix seconds.", _STARTED)


def gauge(name: str, text: str, value: float) -> Iterator[str]:
    """Yield the lines of a number that goes up and down, as it is now."""
    yield from _head(name, text, "gauge")
    yield f"{name} {value!r}"


def _head(name: str, text: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _braces(names: Labels, values: Labels) -> str:
    pairs = (f'{name}="{_escape(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{','.join(pairs)}}}"


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


_STARTED = time.time()
