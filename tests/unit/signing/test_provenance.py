"""Test the content of a provenance: the commit, the root, every lock, and the builder."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from scripts.common.errors import SutraError
from scripts.common.labels import REVISION
from scripts.common.labels import ROOT as ROOT_LABEL
from scripts.signing import provenance
from tests.unit.fakes import run_git

ROOT = "debian:trixie-slim@sha256:" + "b" * 64
PLAN: dict[str, Any] = {
    "target": {
        "sutra-api": {
            "dockerfile": "packages/sutra-api/Dockerfile.prod",
            "args": {"BASE": "debian"},
            "contexts": {"sutra-base-python:prod": "target:python-runtime", "other": "docker://x"},
        },
        "python-runtime": {"context": "base-images", "dockerfile": "python-prod.Dockerfile"},
    }
}
RUNNER = {
    "GITHUB_ACTIONS": "true",
    "RUNNER_ENVIRONMENT": "github-hosted",
    "GITHUB_SERVER_URL": "https://forge.example",
    "GITHUB_REPOSITORY": "us/sutra",
    "GITHUB_WORKFLOW_REF": "us/sutra/.github/workflows/build.yml@refs/heads/main",
    "GITHUB_RUN_ID": "7",
    "GITHUB_RUN_ATTEMPT": "2",
}


@pytest.fixture
def checkout(folder: Path) -> Path:
    for path in (
        "packages/sutra-api/requirements.lock",
        "packages/sutra-api/requirements-test.lock",
        "base-images/packages.lock",
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)
    run_git("init")
    run_git("remote", "add", "origin", "https://me:secret@forge.example/us/sutra.git")
    return folder


def sha(text: str) -> dict[str, str]:
    return {"sha256": hashlib.sha256(text.encode()).hexdigest()}


def test_materials_are_commit_root_and_the_locks_of_all_that_it_is_built_upon(
    checkout: Path,
) -> None:
    labels = {REVISION: "c" * 40, ROOT_LABEL: ROOT}
    predicate = provenance.predicate(PLAN, "sutra-api", labels, {})
    lock, packages = "packages/sutra-api/requirements.lock", "base-images/packages.lock"
    assert predicate["buildDefinition"] == {
        "buildType": "urn:sutra:build:make-prod:v1",
        "externalParameters": {
            "target": "sutra-api",
            "dockerfile": "packages/sutra-api/Dockerfile.prod",
            "base": "debian",
        },
        "internalParameters": {},
        "resolvedDependencies": [
            {
                "uri": "git+https://forge.example/us/sutra.git",
                "digest": {"gitCommit": "c" * 40},
            },
            {"uri": "pkg:docker/debian@trixie-slim", "digest": {"sha256": "b" * 64}},
            {"uri": f"file:{packages}", "name": "packages.lock", "digest": sha(packages)},
            {"uri": f"file:{lock}", "name": "requirements.lock", "digest": sha(lock)},
        ],
    }
    assert predicate["runDetails"] == {"builder": {"id": "urn:sutra:builder:local"}}


OTHER_ROOT = "debian:trixie-slim@sha256:" + "e" * 64
REBASED: dict[str, Any] = {
    "target": {
        "sutra-api": {
            "dockerfile": "packages/sutra-api/Dockerfile.prod",
            "contexts": {"sutra-base:prod": "target:runtime", "tools": "target:tools"},
        },
        "runtime": {"context": "base-images"},
        "tools": {"context": "tools"},
    }
}


def material(commit: str, layers: str, path: str = "", content: str = "") -> dict[str, Any]:
    """Return the commit, or a lock of it, as a material of some layers."""
    uri, digest = "git+https://forge.example/us/sutra.git", {"gitCommit": commit}
    named = {"uri": f"file:{path}", "name": Path(path).name, "digest": sha(content)}
    return {
        **(named if path else {"uri": uri, "digest": digest}),
        "annotations": {"layers": layers},
    }


def test_a_service_on_another_base_tells_of_both_commits_by_the_locks_of_each(
    checkout: Path,
) -> None:
    lock, packages = "packages/sutra-api/requirements.lock", "base-images/packages.lock"
    (checkout / "tools").mkdir()
    (checkout / "tools/tools.lock").write_text("gcc 1")
    (checkout / "tools/link.lock").symlink_to("tools.lock")
    commits = []
    for content in ("libc6 1", "libc6 2", "libc6 3"):
        (checkout / packages).write_text(content)
        run_git("add", "--all")
        run_git("commit", "--quiet", "-m", content)
        commits.append(run_git("rev-parse", "HEAD"))
        (checkout / "tools/tools.lock").write_text("gcc 2")
    first, second, _ = commits
    labels = {
        REVISION: first,
        "org.sutra.base.revision": second,
        "org.opencontainers.image.base.name": "sutra-base:prod",
        "org.opencontainers.image.base.digest": "sha256:" + "d" * 64,
        ROOT_LABEL: OTHER_ROOT,
        "org.sutra.build.root": ROOT,
    }
    definition = provenance.predicate(REBASED, "sutra-api", labels, {})["buildDefinition"]
    assert definition["buildType"] == "urn:sutra:build:make-rebase:v1"
    assert definition["externalParameters"]["base_digest"] == "sha256:" + "d" * 64
    roots = [
        {
            "uri": "pkg:docker/debian@trixie-slim",
            "digest": {"sha256": digit * 64},
            "annotations": {"layers": layers},
        }
        for digit, layers in (("b", "service"), ("e", "base"))
    ]
    assert definition["resolvedDependencies"] == [
        material(first, "service"),
        roots[0],
        material(first, "service", lock, lock),
        material(first, "service", "tools/tools.lock", "gcc 1"),
        material(second, "base"),
        roots[1],
        material(second, "base", packages, "libc6 2"),
    ]


def test_an_image_of_an_earlier_commit_has_the_locks_of_that(checkout: Path) -> None:
    lock, packages = "packages/sutra-api/requirements.lock", "base-images/packages.lock"
    run_git("add", "--all")
    run_git("commit", "--quiet", "-m", "one")
    first = run_git("rev-parse", "HEAD")
    (checkout / lock).write_text("changed")
    (checkout / packages).unlink()

    def locks(revision: str) -> list[dict[str, Any]]:
        labels = {REVISION: revision, ROOT_LABEL: ROOT}
        predicate = provenance.predicate(PLAN, "sutra-api", labels, {})
        return list(predicate["buildDefinition"]["resolvedDependencies"][2:])

    named = {"uri": f"file:{lock}", "name": "requirements.lock"}
    dirty = [{**named, "digest": sha("changed")}]
    assert locks(f"{first}-dirty") == dirty
    run_git("commit", "--quiet", "--all", "-m", "two")
    assert locks(run_git("rev-parse", "HEAD")) == dirty
    assert locks(first) == [
        {"uri": f"file:{packages}", "name": "packages.lock", "digest": sha(packages)},
        {**named, "digest": sha(lock)},
    ]


def test_a_root_that_is_not_known_is_reported(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predicate = provenance.predicate(PLAN, "sutra-api", {ROOT_LABEL: "debian@latest"}, {})
    names = [
        dependency["uri"] for dependency in predicate["buildDefinition"]["resolvedDependencies"]
    ]
    assert not any(name.startswith("pkg:docker") for name in names)
    assert capsys.readouterr().err == (
        "provenance: sutra-api: no label org.sutra.root, the root image is not listed\n"
    )


def test_a_hosted_runner_is_named_by_its_workflow() -> None:
    assert provenance.run_details(RUNNER) == {
        "builder": {
            "id": "https://forge.example/us/sutra/.github/workflows/build.yml@refs/heads/main"
        },
        "metadata": {"invocationId": "https://forge.example/us/sutra/actions/runs/7/attempts/2"},
    }


@pytest.mark.parametrize(
    "change",
    [{"RUNNER_ENVIRONMENT": "self-hosted"}, {"GITHUB_ACTIONS": ""}, {"GITHUB_SERVER_URL": ""}],
)
def test_anything_else_claims_no_more_than_this_machine(change: dict[str, str]) -> None:
    assert provenance.run_details({**RUNNER, **change}) == {
        "builder": {"id": "urn:sutra:builder:local"}
    }


def test_a_missing_target_is_refused() -> None:
    with pytest.raises(SutraError) as caught:
        provenance.predicate({"target": {}}, "sutra-api", {}, {})
    assert caught.value.message == 'docker-bake.hcl: no target "sutra-api"'
