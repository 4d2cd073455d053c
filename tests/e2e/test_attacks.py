"""Test what one client can do to the deployed stack in the memory that docker-compose.yml allows.

Nothing may be ended for its memory, and everybody else must have answers.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest

from scripts.report import readme_tables
from tests.support import attack_table
from tests.support.attack_table import Attack
from tests.support.attacks import attacks, descriptors, ended, killed_inside
from tests.support.stack import API, HYBRID, STORAGE, Answer, Stack, deployed, request

MANY = 100_000
LONG = 512  # bytes of the longest id
# least memory that the storage keeps for an id: the id's own bytes
LEAST_FILLED = 10_000
SMALL = "128m"
DOCUMENT = Path("docs/deployment.md")

Change = dict[str, Any]
Watch = Callable[[Stack, str, str], AbstractContextManager[Attack]]


@pytest.fixture(scope="module")
def attacks_of_run() -> Iterator[list[Attack]]:
    """All attacks of this run; with WRITE_ATTACKS=1 the document gets them as a table."""
    attacks: list[Attack] = []
    yield attacks
    if os.environ.get("WRITE_ATTACKS") == "1":
        readme_tables.write("attacks", attack_table.render(attacks), DOCUMENT)


@pytest.fixture
def watched(attacks_of_run: list[Attack], capfd: pytest.CaptureFixture[str]) -> Watch:
    """What records an attack on a service of a stack, and prints it in one line."""

    @contextmanager
    def watch(stack: Stack, service: str, sent: str) -> Iterator[Attack]:
        with attack_table.watched(stack.container(service), service, sent) as attack:
            yield attack
        attacks_of_run.append(attack)
        with capfd.disabled():
            print(f"\n{attack.line}")

    return watch


@pytest.fixture(autouse=True)
def nothing_is_ended(request: pytest.FixtureRequest) -> Iterator[None]:
    """Check each service after an attack: the same processes, and healthy."""
    yield
    attacked: Stack = request.getfixturevalue(
        "small" if "small" in request.fixturenames else "stack"
    )
    for service in (STORAGE, API, HYBRID):
        assert ended(attacked.container(service)) == (False, 0), service
    for service in (API, HYBRID):
        assert killed_inside(attacked.container(service)) == 0, service
        assert attacked.try_ask(service, "GET", "/live").status == 200


def port(stack: Stack, service: str) -> int:
    host, number = stack.address(service)
    assert host == "127.0.0.1"
    return number


@pytest.mark.parametrize("service", [API, HYBRID])
@pytest.mark.parametrize("start", [b"X-A: ", b"X-"])
def test_one_header_of_124_megabytes(
    stack: Stack, service: str, start: bytes, watched: Watch
) -> None:
    part = "its value" if b":" in start else "its name"
    with watched(stack, service, f"{attack_table.HEADER} ({part})") as attack:
        with attacks.connect(port(stack, service)) as client:
            attacks.send(client, attacks.HEAD + start)
            # bytes that the engine's proxy and the kernel hold have not reached the service
            taken = attacks.pour(client, 124)
            assert taken < 30
        beside = stack.try_ask(service, "GET", "/live").seconds
        assert beside < 2
        attack.answer = f"closed after {taken} MB; `/live` then in {beside:.2f} s"


@pytest.mark.parametrize("service", [API, HYBRID])
def test_headers_without_end_from_many_connections(
    stack: Stack, service: str, watched: Watch
) -> None:
    def pour(_: int) -> int:
        with attacks.connect(port(stack, service)) as client:
            attacks.send(client, attacks.HEAD + b"X-A: ")
            taken: int = attacks.pour(client, 100)
            return taken

    with (
        watched(stack, service, attack_table.HEADERS) as attack,
        ThreadPoolExecutor(32) as pool,
    ):
        most = max(pool.map(pour, range(64)))
        assert most < 30
        attack.answer = f"each closed after {most} MB or less"


@pytest.mark.parametrize("service", [API, HYBRID])
def test_thousands_of_half_heads(stack: Stack, service: str, watched: Watch) -> None:
    with (
        watched(stack, service, attack_table.HEADS) as attack,
        descriptors(5000),
        attacks.connections(port(stack, service), 2000) as clients,
    ):
        for client in clients:
            attacks.send(client, attacks.HEAD + b"X-A: ")
        answers = [stack.try_ask(service, "GET", "/live") for _ in range(10)]
        assert {answer.status for answer in answers} == {200}
        slowest = max(answer.seconds for answer in answers)
        assert slowest < 2
        attack.answer = f"beside them 10 of 10 `/live` are 200, in {slowest:.2f} s or less"


@pytest.mark.parametrize(
    ("service", "head"), [(API, b"PUT /concepts/slow"), (HYBRID, b"POST /similar")]
)
def test_128_slow_bodies(stack: Stack, service: str, head: bytes, watched: Watch) -> None:
    start = head + b" HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    slowest = 0.0
    with (
        watched(stack, service, attack_table.BODIES) as attack,
        attacks.connections(port(stack, service), 128) as clients,
    ):
        for client in clients:
            attacks.send(client, start + b"Content-Length: 100000\r\n\r\n{")
        for path in ("/live", "/health") * 5:
            answer = stack.try_ask(service, "GET", path)
            assert (answer.status, answer.seconds < 2) == (200, True), answer
            slowest = max(slowest, answer.seconds)
        attack.answer = f"beside them 10 of 10 requests are 200, in {slowest:.2f} s or less"


@pytest.fixture(scope="module")
def hub(stack: Stack) -> Stack:
    """The stack with one concept that has MANY associations."""
    put(stack, [{"op": "put_concept", "id": "hub", "text": "all know it"}])
    for start in range(0, MANY, 5000):
        names = [f"n{number}" for number in range(start, start + 5000)]
        put(stack, [{"op": "put_concept", "id": name, "text": name} for name in names])
        link = {"op": "put_association", "source": "hub", "kind": "knows", "weight": 0.5}
        put(stack, [link | {"target": name} for name in names])
    put(stack, [{"op": "put_concept", "id": "alone", "text": "nobody knows it"}])
    return stack


def put(stack: Stack, changes: list[Change]) -> None:
    """Do all changes of a batch; each must succeed."""
    results = batch(stack, changes)
    assert {result["status"] for result in results} <= {200, 201}, results[:3]


def batch(stack: Stack, changes: list[Change]) -> list[Change]:
    """Send a batch through the API; return its results."""
    lines = "\n".join(json.dumps(change) for change in changes).encode()
    answer: Answer = request(stack.address(API), "POST", "/batch", lines, text=True)
    assert answer.status == 200, answer
    return [json.loads(line) for line in answer.body.splitlines()]


def test_paths_through_a_hub_beside_120_readers(hub: Stack, watched: Watch) -> None:
    paths = [
        *["/path?source=hub&target=alone&directed=false"] * 60,
        *["/path?source=n1&target=n99999&directed=false"] * 60,
        *["/concepts/hub/associations?limit=1000", "/concepts?limit=1000"] * 60,
    ]

    def ask(path: str) -> int:
        return hub.try_ask(API, "GET", path).status

    with (
        watched(hub, STORAGE, attack_table.HUB) as attack,
        ThreadPoolExecutor(120) as pool,
    ):
        statuses = Counter(pool.map(ask, paths))
        # status codes: found, no path, a limit reached, or no room for another request
        assert statuses.keys() <= {200, 404, 422, 503}
        shown = ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))
        attack.answer = f"{shown}; afterwards a read is 200"
    assert hub.try_ask(API, "GET", "/concepts/alone").status == 200


@pytest.fixture(scope="module")
def small(client: docker.DockerClient, tag: str) -> Iterator[Stack]:
    """A stack whose storage is small, so that it is filled in seconds."""
    with deployed(client, SUTRA_TAG=tag, SUTRA_STORAGE_MEMORY=SMALL) as started:
        yield started


def test_a_storage_that_is_filled_to_its_limit(small: Stack, watched: Watch) -> None:
    with watched(small, STORAGE, attack_table.FULL) as attack:
        attack.answer = refusal(fill(small))
        # the storage rewrites its log, which takes a second index
        again = {"op": "put_concept", "id": name(0), "text": "x" * 60_000}
        for _ in range(20):
            results = batch(small, [again] * 100)
            assert {result["status"] for result in results} == {200}
    assert small.ask(API, "GET", f"/concepts/{name(0)}")["id"] == name(0)
    small.container(STORAGE).restart()
    small.wait_ready()
    assert small.ask(API, "GET", f"/concepts/{name(1)}")["id"] == name(1)


@pytest.mark.long
def test_a_storage_of_the_deployed_size_that_is_filled_to_its_limit(
    stack: Stack, watched: Watch
) -> None:
    with watched(stack, STORAGE, attack_table.FULL) as attack:
        attack.answer = refusal(fill(stack))
    assert stack.ask(API, "GET", f"/concepts/{name(0)}")["id"] == name(0)


def name(number: int) -> str:
    return str(number).rjust(LONG, "0")


def refusal(number: int) -> str:
    return f"503 `memory limit reached` from about {number:,} on; reads and changes go on"


def fill(stack: Stack) -> int:
    """Put concepts with the longest ids until the storage refuses one; return about how many."""
    for start in range(0, 2_000_000, 5000):
        numbers = range(start, start + 5000)
        results = batch(
            stack, [{"op": "put_concept", "id": name(number), "text": "t"} for number in numbers]
        )
        refused = [result for result in results if result["status"] != 201]
        if refused:
            assert start > LEAST_FILLED
            assert {result["title"] for result in refused} == {"memory limit reached"}
            return start
    raise AssertionError("never refused")
