"""Which change of the repository needs a build of a service, and which its base alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts.build import graph
from scripts.build.graph import Node
from scripts.common.errors import SutraError
from scripts.rebase import own_files
from tests.unit.fakes import run_git

FILES = {
    "base-images/Runtime": (
        "FROM debian:13\nCOPY packages.lock lib/apt.sh /\n"
        "RUN --mount=type=bind,source=builders.lock,target=/l true\nCOPY lib/finish.sh /\n"
    ),
    "base-images/Tools": "FROM debian:13\nCOPY builders.lock lib/apt.sh /\n",
    "base-images/packages.lock": "libc6 1",
    "base-images/builders.lock": "gcc 1",
    "base-images/lib/apt.sh": "",
    "base-images/lib/finish.sh": "",
    "api/Dockerfile": (
        "FROM tools AS builder\nCOPY api/src /src\nCOPY base-images /mnt\n"
        "FROM builder AS test\nCOPY api/tests /tests\n"
        "FROM runtime:prod\nCOPY --from=builder /src /\n"
    ),
    "api/src/main.py": "",
    "api/tests/test.py": "",
    "static/Dockerfile": "FROM tools\nCOPY static/main.rs /\n",
    "static/main.rs": "",
}
PLAN: dict[str, Any] = {
    "target": {
        "runtime": {"context": "base-images", "dockerfile": "Runtime"},
        "tools": {"context": "base-images", "dockerfile": "Tools"},
        "base": {"context": "base-images", "dockerfile": "Runtime", "tags": ["base:prod"]},
        "api": {
            "context": ".",
            "dockerfile": "api/Dockerfile",
            "contexts": {"tools": "target:tools", "runtime:prod": "target:runtime"},
            "tags": ["api:prod"],
        },
        "static": {
            "context": ".",
            "dockerfile": "static/Dockerfile",
            "contexts": {"tools": "target:tools"},
            "tags": ["static:prod"],
        },
    }
}


def commit(**contents: str) -> str:
    for name, content in contents.items():
        Path(name).write_text(content)
    run_git("add", "--all")
    run_git("commit", "--quiet", "--allow-empty", "-m", "next")
    return run_git("rev-parse", "HEAD")


@pytest.fixture
def nodes(folder: Path) -> Mapping[str, Node]:
    """The nodes of a repository with one commit."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    run_git("init")
    commit()
    return graph.read(PLAN)


def lines(nodes: Mapping[str, Node], **contents: str) -> list[str]:
    """Return the lines about a commit that changes these files."""
    before = run_git("rev-parse", "HEAD")
    after = commit(**contents)
    return [
        line.replace(before, "BEFORE")
        for name in ("api", "static")
        for line in own_files.problems(nodes, name, before, after)
    ]


@pytest.mark.parametrize(
    "file",
    [
        "base-images/packages.lock",
        "base-images/Runtime",
        "base-images/lib/finish.sh",
        "base-images/builders.lock",
        "api/tests/test.py",
        "images.yaml",
        "README.md",
    ],
)
def test_what_bases_are_made_of_and_what_is_in_no_image_leaves_services_as_they_are(
    nodes: Mapping[str, Node], file: str
) -> None:
    assert lines(nodes, **{file: "another"}) == []


@pytest.mark.parametrize(
    ("file", "services"),
    [
        ("api/src/main.py", ["api"]),
        ("api/src/new.py", ["api"]),
        ("api/Dockerfile", ["api"]),
        ("static/main.rs", ["static"]),
        (".dockerignore", ["api", "static"]),
        ("docker-bake.hcl", ["api", "static"]),
        # in the base as well
        ("base-images/lib/apt.sh", ["api", "static"]),
        # in no base
        ("base-images/lib/clean.sh", ["api"]),
        ("base-images/Tools", ["api", "static"]),
    ],
)
def test_what_a_service_is_made_of_is_named(
    nodes: Mapping[str, Node], file: str, services: list[str]
) -> None:
    said = lines(nodes, **{file: "another", "base-images/packages.lock": "libc6 2"})
    assert said == [
        f'{name}: is made of "{file}", changed since its commit "BEFORE"' for name in services
    ]


def test_several_files_are_one_line(nodes: Mapping[str, Node]) -> None:
    assert lines(nodes, **{"api/src/main.py": "1", "api/src/b.py": "1", "static/other": ""}) == [
        'api: is made of "api/src/b.py" (+1 more), changed since its commit "BEFORE"'
    ]


def test_a_file_that_went_or_got_another_name_is_a_change(nodes: Mapping[str, Node]) -> None:
    before = run_git("rev-parse", "HEAD")
    run_git("mv", "api/src/main.py", "elsewhere.py")
    assert own_files.problems(nodes, "api", before, commit()) == [
        f'api: is made of "api/src/main.py", changed since its commit "{before}"'
    ]


def test_a_change_that_a_later_commit_took_back_is_none(nodes: Mapping[str, Node]) -> None:
    before = run_git("rev-parse", "HEAD")
    commit(**{"api/src/main.py": "1"})
    after = commit(**{"api/src/main.py": ""})
    assert own_files.problems(nodes, "api", before, after) == []


def test_packages_of_compilers_alone_are_another_answer(nodes: Mapping[str, Node]) -> None:
    first = run_git("rev-parse", "HEAD")
    second = commit(**{"base-images/packages.lock": "libc6 2"})
    third = commit(**{"base-images/builders.lock": "gcc 2"})
    for name in ("api", "static"):
        assert not own_files.compiled_otherwise(nodes, name, first, second)
        assert own_files.compiled_otherwise(nodes, name, second, third)
    (Path("static/Dockerfile")).write_text("FROM scratch\nCOPY static/main.rs /\n")
    without = graph.read(PLAN)
    assert not own_files.compiled_otherwise(without, "static", second, third)


def test_an_image_that_the_bake_file_lacks(nodes: Mapping[str, Node]) -> None:
    with pytest.raises(SutraError) as caught:
        list(own_files.own(nodes, "web", ["file"]))
    assert caught.value.message == 'docker-bake.hcl: no target "web"'
