"""Which images may be of an earlier commit than the one that is checked out."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.catalog import catalog
from scripts.common.errors import SutraError
from scripts.promotion import older, signatures
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
    ("labels", "expected"),
    [
        ({"api": MOVED, "storage": ON_NOTHING, "base": ON_DEBIAN}, {"api", "storage"}),
        ({"api": MOVED, "storage": {}}, {"api", "storage"}),
        ({"api": MOVED, "hybrid": ON_BASE}, {"api"}),
        # a base that was built from scratch, and says so or not
        ({"api": MOVED, "sutra-base-python": {}}, {"api"}),
        ({"api": MOVED, "sutra-base-python": ON_NOTHING}, {"api"}),
        ({"api": ON_BASE, "storage": ON_NOTHING, "base": ON_DEBIAN}, set()),
    ],
)
def test_what_a_rebase_moved_and_what_it_left(
    engine: FakeEngine, labels: dict[str, dict[str, str]], expected: set[str]
) -> None:
    assert older.rebased(engine, ids(engine, **labels)) == expected


CATALOG = """\
release: {budget: {installed: 9 B, download: 1 MB}}
images:
  base: {budget: {installed: 9 B, download: 1 MB}, not_promoted_because: a toolchain}
  api: {budget: {installed: 5 B, download: 1 MB}}
  storage: {budget: {installed: 5 B, download: 1 MB}}
  lost: {budget: {installed: 5 B, download: 1 MB}}
"""
REVISION = "org.opencontainers.image.revision"


@pytest.mark.parametrize("base_of_the_base", ["debian:13", "scratch"])
def test_services_are_what_is_on_a_base_or_on_nothing(
    engine: FakeEngine, folder: Path, base_of_the_base: str
) -> None:
    (folder / "images.yaml").write_text(CATALOG)
    for name, base in (("base", base_of_the_base), ("api", "base:prod"), ("storage", "scratch")):
        labels = {NAME: base, REVISION: f"of {name}"}
        engine.add(FakeImage([name.encode()], labels=labels), f"{name}:prod")
    assert older.services(engine, catalog.load()) == {"api": "of api", "storage": "of storage"}


# ---- on a repository ---------------------------------------------------------


@pytest.fixture
def commits(project_repository: Path) -> tuple[str, str]:
    """A commit, and one after it that changes the base alone."""
    first = run_git("rev-parse", "HEAD")
    (project_repository / "of-the-base").write_text("2")
    run_git("commit", "--quiet", "--all", "-m", "base")
    return first, run_git("rev-parse", "HEAD")


def ids_of(engine: FakeEngine, api: str, base: str) -> dict[str, str]:
    return ids(engine, api=MOVED | {REVISION: api}, base=ON_DEBIAN | {REVISION: base})


def test_a_service_that_was_moved_is_signed_by_its_own_commit(
    engine: FakeEngine, commits: tuple[str, str]
) -> None:
    signatures.refuse_other_commit(engine, ids_of(engine, *commits), allow_unreadable=False)


def test_a_base_of_an_earlier_commit_is_not_signed(
    engine: FakeEngine, commits: tuple[str, str]
) -> None:
    first, second = commits
    with pytest.raises(SutraError) as caught:
        signatures.refuse_other_commit(engine, ids_of(engine, second, first), False)
    assert (caught.value.message, caught.value.tip) == (
        f'SIGN_KEY: base: of commit "{first}", and the locks here are of "{second}"',
        "`make prod` builds this commit; only what it was built from can be signed",
    )


def test_a_moved_service_with_newer_files_of_its_own_is_not_signed(
    engine: FakeEngine, commits: tuple[str, str], project_repository: Path
) -> None:
    (project_repository / "content").write_text("2")
    run_git("commit", "--quiet", "--all", "-m", "service")
    here = run_git("rev-parse", "HEAD")
    with pytest.raises(SutraError) as caught:
        signatures.refuse_other_commit(engine, ids_of(engine, commits[0], here), False)
    assert (caught.value.message, caught.value.tip) == (
        f'SIGN_KEY: api: is made of "content", changed since its commit "{commits[0]}"',
        "`make prod` builds the services of this commit as well; the tags are where they were",
    )


def test_the_build_graph_is_read_once_for_all_answers(
    commits: tuple[str, str], project_repository: Path
) -> None:
    plans = project_repository / ".git-ignored/plans"
    docker = project_repository / ".git-ignored/docker"
    docker.write_text(docker.read_text().replace("cat ", f'echo "$*" >>{plans}\ncat '))
    changes = older.changes({"api": commits[0], "storage": commits[0]}, commits[1])
    assert (changes.own, changes.compiled_otherwise) == ([], [])
    calls = plans.read_text().splitlines()
    assert len([call for call in calls if call.startswith("buildx bake")]) == 1


def test_no_graph_is_read_where_no_image_is_older(
    project_repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER", "/nonexistent/docker")
    assert older.changes({}, "0" * 40) == older.Changes([], [])
