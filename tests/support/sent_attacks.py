"""What a client sends to attack a deployed stack, and what it sees meanwhile.

The tests hold what is seen to its bounds; older_attacks records it of an older commit.
"""

from __future__ import annotations

import http.client
import json
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.support.attacks import attacks, descriptors
from tests.support.stack import API, HYBRID, Answer, Services, request

MANY = 100_000
LONG = 512  # bytes of the longest id
LIVE = "/live"  # path that answers while the process runs
SLOW = {API: b"PUT /concepts/slow", HYBRID: b"POST /similar"}

Change = dict[str, Any]


def port(services: Services, service: str) -> int:
    """Return the port of 127.0.0.1 where a service answers."""
    host, number = services.address(service)
    assert host == "127.0.0.1"
    return number


def ask(services: Services, service: str, path: str) -> Answer | None:
    """Return the answer to one request, None where nobody gave one."""
    try:
        return services.try_ask(service, "GET", path)
    except (OSError, http.client.HTTPException):
        return None


def one_header(
    services: Services, service: str, start: bytes, live: str = LIVE
) -> tuple[int, Answer | None]:
    """Send 124 MB of one header; return how many were taken, and the answer to `live` then."""
    with attacks.connect(port(services, service)) as client:
        attacks.send(client, attacks.HEAD + start)
        taken = attacks.pour(client, 124)
    return taken, ask(services, service, live)


def many_headers(services: Services, service: str) -> int:
    """Send 100 MB of a header on 64 connections, 32 at a time; return the most that one took."""

    def pour(_: int) -> int:
        try:
            with attacks.connect(port(services, service)) as client:
                attacks.send(client, attacks.HEAD + b"X-A: ")
                return int(attacks.pour(client, 100))
        except OSError:
            return 0

    with ThreadPoolExecutor(32) as pool:
        return max(pool.map(pour, range(64)))


def half_heads(services: Services, service: str, live: str = LIVE) -> list[Answer | None]:
    """Begin 2,000 requests and send no more; return the answers to ten others."""
    with descriptors(5000), attacks.connections(port(services, service), 2000) as clients:
        for client in clients:
            attacks.send(client, attacks.HEAD + b"X-A: ")
        return [ask(services, service, live) for _ in range(10)]


def slow_bodies(services: Services, service: str, live: str = LIVE) -> list[Answer | None]:
    """Begin 128 bodies and send no more; return the answers to ten other requests."""
    start = SLOW[service] + b" HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    with attacks.connections(port(services, service), 128) as clients:
        for client in clients:
            attacks.send(client, start + b"Content-Length: 100000\r\n\r\n{")
        return [ask(services, service, path) for path in (live, "/health") * 5]


def make_hub(services: Services) -> None:
    """Put one concept that has MANY associations, and one that has none."""
    put(services, [{"op": "put_concept", "id": "hub", "text": "all know it"}])
    for start in range(0, MANY, 5000):
        names = [f"n{number}" for number in range(start, start + 5000)]
        put(services, [{"op": "put_concept", "id": name, "text": name} for name in names])
        link = {"op": "put_association", "source": "hub", "kind": "knows", "weight": 0.5}
        put(services, [link | {"target": name} for name in names])
    put(services, [{"op": "put_concept", "id": "alone", "text": "nobody knows it"}])


def ask_hub(services: Services) -> Counter[int]:
    """Ask for 120 paths and 120 pages with 120 clients; count the statuses, 0 for no answer."""
    paths = [
        *["/path?source=hub&target=alone&directed=false"] * 60,
        *["/path?source=n1&target=n99999&directed=false"] * 60,
        *["/concepts/hub/associations?limit=1000", "/concepts?limit=1000"] * 60,
    ]

    def status(path: str) -> int:
        answer = ask(services, API, path)
        return answer.status if answer else 0

    with ThreadPoolExecutor(120) as pool:
        return Counter(pool.map(status, paths))


def put(services: Services, changes: list[Change]) -> None:
    """Do all changes of a batch; each must succeed."""
    results = batch(services, changes)
    assert {result["status"] for result in results} <= {200, 201}, results[:3]


def batch(services: Services, changes: list[Change]) -> list[Change]:
    """Send a batch through the API; return its results."""
    lines = "\n".join(json.dumps(change) for change in changes).encode()
    answer: Answer = request(services.address(API), "POST", "/batch", lines, text=True)
    assert answer.status == 200, answer
    return [json.loads(line) for line in answer.body.splitlines()]


def name(number: int) -> str:
    """Return the longest id with a number."""
    return str(number).rjust(LONG, "0")


def fill(services: Services, count: Callable[[int], object] = int) -> tuple[int, list[Change]]:
    """Put concepts with the longest ids until one is refused; return about how many, and refusals.

    `count` gets how many there are, before each batch.
    """
    for start in range(0, 2_000_000, 5000):
        count(start)
        numbers = range(start, start + 5000)
        changes = [{"op": "put_concept", "id": name(number), "text": "t"} for number in numbers]
        if refused := [row for row in batch(services, changes) if row["status"] != 201]:
            return start, refused
    return 2_000_000, []


def shown(statuses: Counter[int]) -> str:
    """Return counts for people: "88 × 200, 9 × 422"; what had no answer comes first."""
    return ", ".join(
        f"{count} × {status or 'no answer'}" for status, count in sorted(statuses.items())
    )


def shown_answers(answers: Iterable[Answer | None]) -> str:
    """Return what ten requests beside an attack were answered, and the slowest of them."""
    listed = list(answers)
    slowest = max((answer.seconds for answer in listed if answer), default=0.0)
    statuses = Counter(answer.status if answer else 0 for answer in listed)
    return f"beside them {shown(statuses)}, in {slowest:.2f} s or less"
