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
