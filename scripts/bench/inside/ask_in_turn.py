"""Runs inside a container beside the stack: times of storage, API and /similar, asked in turn.

Its argument is the number of requests of each kind. Only the standard library.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from contextlib import closing

ADDRESSES = {
    "storage": ("sutra-storage", 50051),
    "api": ("sutra-api", 8000),
    "hybrid": ("sutra-hybrid", 8001),
}
# requests of each kind whose times do not count
WARM_UP = 50
WARM_UP_SIMILAR = 20


class Asker:
    """A connection to each service, and the seconds of each answer by "service METHOD"."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}
        self._connections = {
            name: http.client.HTTPConnection(*address, timeout=30)
            for name, address in ADDRESSES.items()
        }

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.close()

    def ask(self, service: str, method: str, path: str, body: object = None) -> None:
        """Send one request and note its time. Exits where it is refused."""
        start = time.perf_counter()
        connection, content = self._connections[service], json.dumps(body) if body else None
        connection.request(method, path, content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        self.times.setdefault(f"{service} {method}", []).append(time.perf_counter() - start)
        if not 200 <= answer.status < 300:
            sys.exit(f"{service}: {method} {path}: {answer.status}")

    def write_and_read(self, number: int) -> None:
        """Store a concept and ask for it, directly and over the API."""
        for service in ("storage", "api"):
            path = f"/concepts/{service}-{number}"
            text = f"fact {number} of {service} in {number % 97}"
            self.ask(service, "PUT", path, {"text": text})
            self.ask(service, "GET", path)

    def similar(self, text: str) -> None:
        """Ask for what is similar to a text."""
        self.ask("hybrid", "POST", "/similar", {"text": text})


def measure(asker: Asker, count: int) -> dict[str, list[float]]:
    """Return the seconds of each answer, those of the warm-up left out."""
    for number in range(WARM_UP):
        asker.write_and_read(number)
    asker.times.clear()
    for number in range(count):
        asker.write_and_read(number)
    asker.ask("hybrid", "POST", "/refresh")
    for _ in range(WARM_UP_SIMILAR):
        asker.similar("fact of the api")
    asker.times.pop("hybrid POST")
    for number in range(count):
        asker.similar(f"fact {number} in {number % 97}")
    return asker.times


def quantile(seconds: list[float], share: float) -> float:
    """Return a quantile in milliseconds."""
    return sorted(seconds)[int(len(seconds) * share)] * 1000


def main(count: int) -> None:
    """Print p50 and p99 in milliseconds, by "service METHOD", as JSON."""
    with closing(Asker()) as asker:
        times = measure(asker, count)
    print(json.dumps({name: (quantile(t, 0.5), quantile(t, 0.99)) for name, t in times.items()}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
