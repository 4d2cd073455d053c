"""Learned concepts are found, and found again after everything was restarted."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from scripts.engine import buildx
from tests.conftest import ROOT
from tests.support.stack import API, HYBRID, STORAGE, Services, Stack, wait_for

ANIMALS, PLACES, HABITS = (
    line.split()
    for line in (
        "otter heron badger lynx newt stork marten vole adder owl",
        "river marsh forest meadow quarry orchard moor harbour attic mill",
        "sleeps hunts nests hides digs sings waits feeds drinks hibernates",
    )
)
FACTS = {
    f"{animal}-{place}-{habit}": f"the {animal} {habit} in the {place}"
    for animal in ANIMALS
    for place in PLACES
    for habit in HABITS
}
# each animal that sleeps in a place is feared there by the next one
FEARED = [
    {
        "source": f"{feared}-{place}-sleeps",
        "target": f"{afraid}-{place}-sleeps",
        "kind": "feared_by",
        "weight": 0.9,
    }
    for feared, afraid in pairwise(ANIMALS)
    for place in PLACES
]


@pytest.fixture(scope="module")
def learned(stack: Stack) -> Stack:
    """A stack with 1,000 facts and their associations, written by eight clients at once."""

    def learn(fact: tuple[str, str]) -> None:
        name, text = fact
        body = {"text": text, "metadata": {"source": "e2e"}}
        assert stack.try_ask(API, "PUT", f"/concepts/{name}", body).status == 201

    def associate(association: dict[str, object]) -> None:
        assert stack.try_ask(API, "PUT", "/associations", association).status == 201

    with ThreadPoolExecutor(8) as writers:
        list(writers.map(learn, FACTS.items()))
        list(writers.map(associate, FEARED))
    return stack


def indexed(stack: Services) -> None:
    """Wait until the hybrid has seen everything."""

    def seen() -> bool:
        answer = stack.try_ask(HYBRID, "POST", "/similar", {"text": "the owl", "k": 1})
        index = answer.body.get("index", {})
        return (index.get("concepts"), index.get("associations")) == (len(FACTS), len(FEARED))

    wait_for(seen, "the index never held every fact")


def answers(stack: Services) -> list[Any]:
    """Return what the stack knows: every concept, and matches and an answer for each place."""
    indexed(stack)
    pages, after = [], ""
    while True:
        page = stack.ask(API, "GET", f"/concepts?limit=300{after}")
        pages += [(concept["id"], concept["text"]) for concept in page["concepts"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    similar = [
        stack.ask(HYBRID, "POST", "/similar", {"text": f"an otter digs in the {place}", "k": 3})
        for place in PLACES
    ]
    replies = [
        stack.ask(
            HYBRID,
            "POST",
            "/ask",
            {"text": f"what is the otter that sleeps in the {place} feared by?"},
        )
        for place in PLACES
    ]
    told = [{name: answer[name] for name in ("answer", "confidence", "path")} for answer in replies]
    return [pages, [[match["id"] for match in reply["matches"]] for reply in similar], told]


@pytest.fixture(scope="module")
def before(learned: Stack) -> list[Any]:
    """What the stack knows before anything happens to it."""
    return answers(learned)


def test_a_thousand_facts_are_found(before: list[Any]) -> None:
    pages, similar, told = before
    assert len(FACTS) == 1000
    assert dict(pages) == FACTS
    assert [match[0] for match in similar] == [f"otter-{place}-digs" for place in PLACES]
    assert [answer["answer"] for answer in told] == [f"the heron sleeps in the {p}" for p in PLACES]
    assert [[(step["id"], step["kind"]) for step in answer["path"]] for answer in told] == [
        [(f"otter-{place}-sleeps", None), (f"heron-{place}-sleeps", "feared_by")]
        for place in PLACES
    ]
    assert all(0 < answer["confidence"] <= 1 for answer in told)


def test_everything_restarted_gives_the_same_answers(learned: Stack, before: list[Any]) -> None:
    done = learned.deploy("restart")
    assert done.returncode == 0, done.stderr[-3000:]
    assert answers(learned) == before


def test_removed_and_deployed_again_gives_the_same_answers(
    learned: Stack, before: list[Any]
) -> None:
    assert learned.deploy("down").returncode == 0
    learned.up()
    assert answers(learned) == before


def test_a_copy_of_the_data_gives_the_same_answers(
    learned: Stack, before: list[Any], tmp_path: Path
) -> None:
    """Follow docs/deployment.md: copy out, delete everything, copy back."""
    copy = tmp_path / "sutra-data.tar"
    learned.container(STORAGE).stop()
    compose = [buildx.find_client(), "compose", "cp"]
    with copy.open("wb") as target:
        subprocess.run(
            [*compose, f"{STORAGE}:/var/lib/sutra/.", "-"],
            cwd=ROOT,
            env=learned.environment(),
            stdout=target,
            check=True,
        )
    learned.remove()
    learned.up()
    learned.container(STORAGE).stop()
    with copy.open("rb") as source:
        subprocess.run(
            [*compose, "-", f"{STORAGE}:/var/lib/sutra"],
            cwd=ROOT,
            env=learned.environment(),
            stdin=source,
            check=True,
        )
    learned.container(STORAGE).start()
    learned.wait_ready(API)
    assert answers(learned) == before


def test_a_question_is_answered_with_confidence_and_a_path(learned: Stack) -> None:
    indexed(learned)
    question = {"text": "where does the heron drink? the heron drinks in the mill"}
    answer = learned.ask(HYBRID, "POST", "/ask", question)
    assert answer["answer"]
    assert 0 < answer["confidence"] <= 1
    assert answer["path"]
    assert learned.ask(HYBRID, "POST", "/ask", question) == answer
