"""Test what one client can do to the deployed stack in the memory that docker-compose.yml allows.

Nothing may be ended for its memory, and everybody else must have answers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import docker
import pytest

from scripts.report import readme_tables
from tests.support import attack_table, sent_attacks
from tests.support.attack_table import Attack
from tests.support.attacks import ended, killed_inside
from tests.support.sent_attacks import Change, batch, fill, name
from tests.support.stack import API, HYBRID, STORAGE, Answer, Stack, deployed

# least memory that the storage keeps for an id: the id's own bytes
LEAST_FILLED = 10_000
SMALL = "128m"
DOCUMENT = Path("docs/deployment.md")

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


def require_prompt(answers: list[Answer | None]) -> None:
    """Check that everybody else had a good answer, at once."""
    assert all(answer and answer.status == 200 and answer.seconds < 2 for answer in answers)


@pytest.mark.parametrize("service", [API, HYBRID])
@pytest.mark.parametrize("start", [b"X-A: ", b"X-"])
def test_one_header_of_124_megabytes(
    stack: Stack, service: str, start: bytes, watched: Watch
) -> None:
    part = "its value" if b":" in start else "its name"
    with watched(stack, service, f"{attack_table.HEADER} ({part})") as attack:
        taken, beside = sent_attacks.one_header(stack, service, start)
        # bytes that the engine's proxy and the kernel hold have not reached the service
        assert taken < 30
        require_prompt([beside])
        assert beside
        attack.answer = f"closed after {taken} MB; `/live` then in {beside.seconds:.2f} s"


@pytest.mark.parametrize("service", [API, HYBRID])
def test_headers_without_end_from_many_connections(
    stack: Stack, service: str, watched: Watch
) -> None:
    with watched(stack, service, attack_table.HEADERS) as attack:
        most = sent_attacks.many_headers(stack, service)
        assert 0 < most < 30
        attack.answer = f"each closed after {most} MB or less"


@pytest.mark.parametrize("service", [API, HYBRID])
def test_thousands_of_half_heads(stack: Stack, service: str, watched: Watch) -> None:
    with watched(stack, service, attack_table.HEADS) as attack:
        answers = sent_attacks.half_heads(stack, service)
        require_prompt(answers)
        attack.answer = sent_attacks.shown_answers(answers)


@pytest.mark.parametrize("service", [API, HYBRID])
def test_128_slow_bodies(stack: Stack, service: str, watched: Watch) -> None:
    with watched(stack, service, attack_table.BODIES) as attack:
        answers = sent_attacks.slow_bodies(stack, service)
        require_prompt(answers)
        attack.answer = sent_attacks.shown_answers(answers)


@pytest.fixture(scope="module")
def hub(stack: Stack) -> Stack:
    """The stack with one concept that has 100,000 associations."""
    sent_attacks.make_hub(stack)
    return stack


def test_paths_through_a_hub_beside_120_readers(hub: Stack, watched: Watch) -> None:
    with watched(hub, STORAGE, attack_table.HUB) as attack:
        statuses = sent_attacks.ask_hub(hub)
        # status codes: found, no path, a limit reached, or no room for another request
        assert statuses.keys() <= {200, 404, 422, 503}
        attack.answer = f"{sent_attacks.shown(statuses)}; afterwards a read is 200"
    assert hub.try_ask(API, "GET", "/concepts/alone").status == 200


@pytest.fixture(scope="module")
def small(client: docker.DockerClient, tag: str) -> Iterator[Stack]:
    """A stack whose storage is small, so that it is filled in seconds."""
    with deployed(client, SUTRA_TAG=tag, SUTRA_STORAGE_MEMORY=SMALL) as started:
        yield started


def test_a_storage_that_is_filled_to_its_limit(small: Stack, watched: Watch) -> None:
    with watched(small, STORAGE, attack_table.FULL) as attack:
        attack.answer = refusal(*fill(small))
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
        attack.answer = refusal(*fill(stack))
    assert stack.ask(API, "GET", f"/concepts/{name(0)}")["id"] == name(0)


def refusal(number: int, refused: list[Change]) -> str:
    assert number > LEAST_FILLED
    assert {result["title"] for result in refused} == {"memory limit reached"}
    return f"503 `memory limit reached` from about {number:,} on; reads and changes go on"
