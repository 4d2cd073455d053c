"""Test which image is built from which, in a small tree and in ours, and what a change rebuilds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.build import graph
from scripts.build.graph import Node
from scripts.catalog import catalog
from scripts.commands import affected as affected_command
from scripts.commands import graph as command
from scripts.common import git
from scripts.common.errors import SutraError
from scripts.oci.layer import Layer
from tests.conftest import ROOT
from tests.unit.fakes import run_git

FILES = {
    "bases/Runtime": "FROM debian:13\nCOPY lib/clean.sh /\n",
    "bases/Tools": "FROM debian:13\nRUN true\n",
    "api/Dockerfile": (
        "FROM tools AS builder\nCOPY api/src /src\n"
        "FROM builder AS test\nCOPY api/tests /tests\n"
        "FROM runtime:prod\nCOPY --from=builder /src /\n"
    ),
}
PLAN: dict[str, Any] = {
    "target": {
        "runtime-builder": {"context": "bases", "dockerfile": "Runtime"},
        "tools": {"context": "bases", "dockerfile": "Tools"},
        "base": {"context": "bases", "dockerfile": "Runtime", "tags": ["base:prod"]},
        "api": {
            "context": ".",
            "dockerfile": "api/Dockerfile",
            "contexts": {"tools": "target:tools", "runtime:prod": "target:runtime-builder"},
            "tags": ["api:prod"],
        },
        "api-test": {
            "context": ".",
            "dockerfile": "api/Dockerfile",
            "target": "test",
            "contexts": {"tools": "target:tools", "runtime:prod": "target:runtime-builder"},
        },
    }
}


@pytest.fixture
def nodes(folder: Path) -> dict[str, Node]:
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "bases/lib").mkdir()
    (folder / "bases/lib/clean.sh").touch()
    return graph.read(PLAN)


def test_every_target_has_its_kind_its_files_and_what_it_is_made_of(
    nodes: dict[str, Node],
) -> None:
    assert {name: node.kind for name, node in nodes.items()} == {
        "api": "service",
        "api-test": "test",
        "base": "base",
        "runtime-builder": "builder",
        "tools": "builder",
    }
    api = nodes["api"]
    own_ignore = "api/Dockerfile.dockerignore"
    assert sorted(api.files) == [".dockerignore", "api/Dockerfile", own_ignore, "api/src"]
    assert (sorted(api.needs), api.roots) == (["runtime-builder", "tools"], frozenset())
    assert nodes["base"].roots == {"debian:13"}
    assert graph.called(nodes, "runtime-builder") == "base"
    assert graph.called(nodes, "tools") == "tools"


@pytest.mark.parametrize(
    ("changed", "rebuilt"),
    [
        (["api/src/app.py"], ["api", "api-test"]),
        (["api/tests/test_app.py"], ["api-test"]),
        (["api/srcs/app.py", "README.md"], []),
        (["bases/lib/clean.sh"], ["api", "base"]),
        (["bases/Tools"], ["api", "api-test"]),
        (["docker-bake.hcl"], ["api", "api-test", "base"]),
        ([".dockerignore"], ["api", "api-test"]),
        ([], []),
    ],
)
def test_a_change_rebuilds_what_takes_the_file(
    nodes: dict[str, Node], changed: list[str], rebuilt: list[str]
) -> None:
    assert list(graph.affected(nodes, changed)) == rebuilt


@pytest.mark.parametrize(
    ("file", "pattern", "is_taken"),
    [
        ("a/b", "a", True),
        ("a", "a", True),
        ("ab", "a", False),
        ("a/b", ".", True),
        ("a/x.py", "a/*.py", True),
        ("a/x.txt", "a/*.py", False),
        # a submodule: any file in it may have changed
        ("a/", "a/b/c", True),
        ("a/b/", "a", True),
        ("a/b/", "a/*/c", True),
        ("a/b/", ".", True),
        ("a/", "ab/c", False),
        ("a/b/", "a/c/d", False),
        ("a", "a/b", False),
    ],
)
def test_a_path_takes_what_is_below_it(file: str, pattern: str, is_taken: bool) -> None:
    assert graph.matches(file, pattern) is is_taken


def test_what_the_context_leaves_out_rebuilds_nothing(folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY src /\n")
    (folder / ".dockerignore").write_text("*\n!src\n**/tests\nDockerfile\n")
    nodes = graph.read({"target": {"x": {"tags": ["x"]}}})
    files = ["src/tests/a.py", "src/a.py", "Dockerfile", ".dockerignore", "docker-bake.hcl"]
    assert [file for file in files if graph.affected(nodes, [file])] == files[1:]
    # a submodule: which of its files changed is not known
    assert list(graph.affected(nodes, ["src/tests/"])) == ["x"]


def test_our_own_services_are_not_rebuilt_for_another_languages_toolchain() -> None:
    """They mount all of base-images, of which the context has a few folders."""
    target = {"dockerfile": "packages/sutra-api/Dockerfile.prod", "tags": ["sutra-api:prod"]}
    nodes = graph.read({"target": {"sutra-api": target}}, ROOT)
    assert "sutra-api" not in graph.affected(nodes, ["base-images/rust-dev.Dockerfile"])
    assert "sutra-api" in graph.affected(nodes, ["base-images/lib/layers.sh"])


def test_a_context_that_is_a_folder_is_files_and_no_image(folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY --from=data /x /\n")
    node = graph.read({"target": {"x": {"tags": ["x"], "contexts": {"data": "./shared/data"}}}})[
        "x"
    ]
    assert (node.roots, "shared/data" in node.files) == (frozenset(), True)


def test_a_missing_dockerfile_is_named(folder: Path) -> None:
    with pytest.raises(SutraError) as caught:
        graph.read({"target": {"x": {"dockerfile": "none/Dockerfile"}}})
    assert (caught.value.message, caught.value.tip) == (
        "none/Dockerfile: cannot be read: No such file or directory",
        "docker-bake.hcl names it in target.x",
    )


# ---- what is printed --------------------------------------------------------

SHARED = [(Layer("sha256:1", "sha256:1", 28_200_000, 1), ["base", "api"])]


def test_the_text_names_roots_bases_services_layers_and_changes(nodes: dict[str, Node]) -> None:
    assert command.text(nodes, SHARED) == [
        "roots",
        "  debian:13 → base",
        "bases",
        "  base ← debian:13",
        "services",
        "  api ← base, tools",
        "shared layers",
        "  28.2 MB base, api",
        "a change of … rebuilds",
        "  api/Dockerfile → api",
        "  bases/Runtime → api, base",
        "  bases/Tools → api",
        "  bases/lib/clean.sh → api, base",
        "  docker-bake.hcl → api, base",
    ]
    unknown = "  not known: no image is built, or no engine answers"
    assert unknown in command.text(nodes, None)


def test_mermaid_draws_the_same(nodes: dict[str, Node]) -> None:
    assert command.mermaid(nodes) == [
        "flowchart LR",
        '  n0[("base")]',
        '  n1["tools"]',
        '  n2(["debian:13"])',
        '  n3["api"]',
        "  n0 --> n3",
        "  n1 --> n3",
        "  n2 --> n0",
    ]


def test_json_has_all_of_it(nodes: dict[str, Node]) -> None:
    document = json.loads(command.as_json(nodes, SHARED))
    assert document["roots"] == ["debian:13"]
    assert document["images"]["api"]["from"] == ["base", "tools"]
    assert "bases/lib/clean.sh" in document["images"]["api"]["files"]
    assert document["shared_layers"] == [
        {"diff_id": "sha256:1", "installed": 28_200_000, "images": ["base", "api"]}
    ]
    assert json.loads(command.as_json(nodes, None))["shared_layers"] is None


def test_lines_of_affected_name_one_file_and_how_many_more(
    nodes: dict[str, Node], capsys: pytest.CaptureFixture[str]
) -> None:
    release, others = {"api": ["a", "b"], "base": ["a"]}, {"checker": ["a", "b", "c"]}
    assert affected_command.lines(release, others, ["api-test"], True, "x") == [
        "api: a (+1 more)",
        "base: a",
        "checker, on request: a (+2 more)",
        "tests: api-test",
        "checks: of every image, as how they are checked has changed",
    ]
    assert affected_command.lines({}, others, [], False, "x") == [
        "checker, on request: a (+2 more)"
    ]
    assert capsys.readouterr().err == ""
    assert affected_command.lines({}, {}, [], False, "main") == []
    assert capsys.readouterr().err == ("affected: no image is built from what changed since main\n")
    assert affected_command.is_production(nodes, "api")
    assert not affected_command.is_production(nodes, "api-test")


@pytest.mark.parametrize(
    ("file", "is_about_checks"),
    [
        ("images.yaml", True),
        ("scripts/checks/gate.py", True),
        ("packages/sutra-api/seccomp.json", True),
        ("packages/sutra-api/requests.txt", True),
        ("packages/sutra-api/src/sutra_api/routes.py", False),
        ("README.md", False),
    ],
)
def test_a_change_of_what_a_check_reads_checks_every_image(
    file: str, is_about_checks: bool
) -> None:
    promises = catalog.load(ROOT / "images.yaml")
    assert affected_command.is_about_checks([file], promises) is is_about_checks


def test_images_on_request_are_those_that_no_other_group_has(
    nodes: dict[str, Node], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "docker-bake.hcl").write_text('group "on-request" { targets = ["checker"] }\n')
    monkeypatch.setattr(command, "read", lambda groups: {**nodes, "checker": nodes["api"]})
    changed = ["api/src/app.py"]
    assert affected_command.on_request(nodes, changed) == {"checker": changed}
    assert affected_command.on_request(nodes, ["README.md"]) == {}


def test_a_bake_file_without_images_on_request_has_none(folder: Path) -> None:
    (folder / "docker-bake.hcl").write_text('group "prod" { targets = [] }\n')
    assert affected_command.on_request({}, ["docker-bake.hcl"]) == {}


# ---- what has changed -------------------------------------------------------


def test_what_changed_since_a_branch_was_left_and_is_not_committed_yet(folder: Path) -> None:
    run_git("init", "-q")
    for name in ("kept", "changed", "removed"):
        (folder / name).write_text("1")
    run_git("add", ".")
    run_git("commit", "-qm", "one")
    run_git("branch", "-M", "main")
    run_git("checkout", "-qb", "mine")
    (folder / "changed").write_text("2")
    (folder / "removed").unlink()
    run_git("commit", "-qam", "two")
    run_git("checkout", "-q", "main")
    (folder / "theirs").write_text("1")
    run_git("add", ".")
    run_git("commit", "-qm", "three")
    run_git("checkout", "-q", "mine")
    (folder / "kept").write_text("2")
    (folder / "new ü").write_text("1")
    (folder / ".gitignore").write_text("ignored\n")
    (folder / "ignored").write_text("1")
    assert git.changed_since("main") == [".gitignore", "changed", "kept", "new ü", "removed"]


@pytest.mark.parametrize("since", ["nope", "", "--all", "HEAD:file"])
def test_a_text_that_is_not_a_commit_is_refused(folder: Path, since: str) -> None:
    run_git("init", "-q")
    (folder / "file").touch()
    run_git("add", ".")
    run_git("commit", "-qm", "one")
    with pytest.raises(SutraError) as caught:
        git.changed_since(since)
    assert (caught.value.message, caught.value.tip) == (
        f'SINCE: no commit that this branch has left "{since}"',
        "such as SINCE=origin/main; a shallow clone lacks it: `git fetch --unshallow`",
    )


def commit_all(subject: str) -> None:
    run_git("add", ".")
    run_git("commit", "-qm", subject)


def test_a_renamed_file_is_both_of_its_names(folder: Path) -> None:
    run_git("init", "-q")
    (folder / "old").write_text("the same\n" * 20)
    commit_all("one")
    run_git("config", "diff.renames", "copies")
    run_git("mv", "old", "new")
    commit_all("two")
    assert git.changed_since("HEAD~1") == ["new", "old"]
    assert git.changed_between("HEAD~1", "HEAD") == ["new", "old"]


def test_a_project_in_a_folder_of_a_repository_has_its_own_paths(folder: Path) -> None:
    run_git("init", "-q")
    (folder / "project").mkdir()
    for name in ("project/mine", "theirs"):
        (folder / name).write_text("1")
    commit_all("one")
    for name in ("project/mine", "project/new", "theirs", "outside"):
        (folder / name).write_text("2")
    assert git.changed_since("HEAD", folder / "project") == ["mine", "new"]
    commit_all("two")
    assert git.changed_between("HEAD~1", "HEAD", folder / "project") == ["mine", "new"]


@pytest.mark.parametrize("state", ["moved", "dirty", "removed", "not ours"])
def test_a_repository_inside_is_a_folder_whatever_settings_hide_it(
    folder: Path, state: str
) -> None:
    run_git("init", "-q", "theirs")
    (folder / "theirs/file").write_text("1")
    for words in (("add", "."), ("commit", "-qm", "one")):
        run_git("-C", "theirs", *words)
    run_git("init", "-q", "main")
    inside = ("-C", "main", "-c", "protocol.file.allow=always")
    run_git(*inside, "commit", "-q", "--allow-empty", "-m", "zero")
    if state != "not ours":
        run_git(*inside, "submodule", "--quiet", "add", "../theirs", "vendored")
        run_git(*inside, "commit", "-qm", "one")
        run_git(*inside, "config", "diff.ignoreSubmodules", "all")
    if state == "moved":
        run_git("-C", "main/vendored", "commit", "-q", "--allow-empty", "-m", "two")
    elif state == "dirty":
        (folder / "main/vendored/file").write_text("2")
    elif state == "removed":
        run_git(*inside, "rm", "-q", "vendored")
    else:
        (folder / "theirs").rename(folder / "main/vendored")
    assert "vendored/" in git.changed_since("HEAD", folder / "main")


def test_a_merge_brings_in_only_what_the_branch_changed(folder: Path) -> None:
    run_git("init", "-q")
    commit_all_of(folder, "base")
    run_git("checkout", "-qb", "mine")
    commit_all_of(folder, "mine")
    run_git("checkout", "-q", "main")
    commit_all_of(folder, "theirs")
    run_git("checkout", "-q", "mine")
    run_git("merge", "-q", "--no-edit", "main")
    assert git.changed_since("main") == ["mine"]


def commit_all_of(folder: Path, name: str) -> None:
    (folder / name).write_text(name)
    commit_all(name)


def test_a_shallow_clone_that_lacks_the_common_commit_says_so(folder: Path) -> None:
    run_git("init", "-q", "origin")
    for name in ("one", "two"):
        (folder / "origin" / name).write_text(name)
        run_git("-C", "origin", "add", ".")
        run_git("-C", "origin", "commit", "-qm", name)
    run_git("-C", "origin", "branch", "other", "HEAD~1")
    address = f"file://{folder}/origin"
    run_git("clone", "-q", "--depth=1", "--no-single-branch", address, "clone")
    with pytest.raises(SutraError) as caught:
        git.changed_since("origin/other", folder / "clone")
    assert caught.value.message == 'SINCE: no commit that this branch has left "origin/other"'
