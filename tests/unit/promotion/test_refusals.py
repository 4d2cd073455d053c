"""Which images may be of an earlier commit than the one that is checked out."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.promotion import refusals
from tests.unit.fakes import FakeEngine, FakeImage, run_git

NAME, DIGEST = (f"org.opencontainers.image.base.{word}" for word in ("name", "digest"))
ON_DEBIAN = {NAME: "debian:trixie-slim"}
ON_BASE, ON_NOTHING = {NAME: "sutra-base-python:prod"}, {NAME: "scratch"}
MOVED = ON_BASE | {DIGEST: "sha256:1"}


def ids(engine: FakeEngine, **labels: dict[str, str]) -> dict[str, str]:
    return {
        name: engine.add(FakeImage([name.encode()], labels=own)) for name, own in labels.items()
    }


@pytest.mark.parametrize(
    ("labels", "older"),
    [
        ({"api": MOVED, "storage": ON_NOTHING, "base": ON_DEBIAN}, {"api", "storage"}),
        ({"api": MOVED, "storage": {}}, {"api", "storage"}),
        ({"api": MOVED, "hybrid": ON_BASE}, {"api"}),
        ({"api": ON_BASE, "storage": ON_NOTHING, "base": ON_DEBIAN}, set()),
    ],
)
def test_what_a_rebase_moved_and_what_it_left(
    engine: FakeEngine, labels: dict[str, dict[str, str]], older: set[str]
) -> None:
    assert refusals.rebased(engine, ids(engine, **labels)) == older


def test_only_an_earlier_commit_of_the_same_history_passes(folder: Path) -> None:
    run_git("init")
    first, second = commit("first"), commit("second")
    built_from = {"base": second, "api": first, "storage": first}
    assert refusals.unclean(built_from, second, {"api", "storage"}) == []
    assert refusals.unclean(built_from, second, {"api"}) == [
        "storage: org.opencontainers.image.revision: not the commit that is checked out "
        f'"{first}", expected "{second}"'
    ]
    run_git("checkout", "--orphan", "other")
    other = commit("other")
    assert len(refusals.unclean({"api": first}, other, {"api"})) == 1


def commit(message: str) -> str:
    run_git("commit", "--quiet", "--allow-empty", "-m", message)
    return run_git("rev-parse", "HEAD")
