"""Why images that passed are not promoted: they are of no clean commit, or of another one."""

from __future__ import annotations

from pathlib import Path

from scripts.promotion import refusals
from tests.unit.fakes import run_git


def test_only_an_earlier_commit_of_the_same_history_passes(project_repository: Path) -> None:
    first, second = run_git("rev-parse", "HEAD"), commit("second")
    built_from = {"base": second, "api": first, "storage": first}
    assert refusals.unclean(built_from, second, {"api", "storage"}) == []
    assert refusals.unclean(built_from, second, {"api"}) == [
        "storage: org.opencontainers.image.revision: not the commit that is checked out "
        f'"{first}", expected "{second}"'
    ]
    run_git("checkout", "--orphan", "other")
    other = commit("other")
    assert len(refusals.unclean({"api": first}, other, {"api"})) == 1


def test_only_files_of_bases_may_have_changed(project_repository: Path) -> None:
    first = run_git("rev-parse", "HEAD")
    for name in ("of-the-base", "content"):
        (project_repository / name).write_text("2")
    run_git("commit", "--quiet", "--all", "-m", "both")
    second = run_git("rev-parse", "HEAD")
    lines = refusals.unclean({"api": first, "base": second}, second, {"api"})
    assert lines == [f'api: is made of "content", changed since its commit "{first}"']
    assert refusals.tip(lines) == (
        "`make prod` builds the services of this commit as well; the tags are where they were"
    )


def commit(message: str) -> str:
    run_git("commit", "--quiet", "--allow-empty", "-m", message)
    return run_git("rev-parse", "HEAD")
