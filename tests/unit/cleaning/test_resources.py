from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.cleaning import scope
from scripts.cleaning.resource import Resource
from scripts.cleaning.resources import only
from scripts.cleaning.scope import Scope, cache_ids
from tests.conftest import ROOT

SCOPE = Scope("sutra", frozenset({"sutra-api:prod", "sutra-api:dev", "sutra-base-python:latest"}))
HOSTED = Scope("sutra", frozenset({"host:5000/sutra-api:prod"}))


@pytest.mark.parametrize(
    ("reference", "owned"),
    [
        ("sutra-api:prod", True),
        ("sutra-api:1.4.2", True),
        ("sutra-api:kept-0123456789ab", True),
        ("sutra-apis:prod", False),
        ("my-sutra-api:prod", False),
        ("sutra-foo:prod", False),
        ("host:5000/sutra-api:prod", False),
        ("sutra-api", False),
        ("<none>:<none>", False),
        ("arm64/sutra-api:prod", True),
        ("arm64/sutra-foo:prod", False),
        ("arm/sutra-api:prod", False),
    ],
)
def test_a_tag_is_ours_by_its_whole_repository(reference: str, owned: bool) -> None:
    assert SCOPE.owns(reference) is owned


def test_a_repository_is_on_one_port() -> None:
    assert HOSTED.owns("host:5000/sutra-api:1")
    assert not HOSTED.owns("host:5001/sutra-api:1")


@pytest.mark.parametrize(
    ("reference", "rebuilt"),
    [
        ("sutra-api:prod", True),
        ("sutra-api:dev", True),
        ("sutra-base-python:latest", True),  # the toolchain, which nobody deploys
        ("sutra-api:building-4711", True),
        ("sutra-api:latest", False),
        ("sutra-api:1.4.2", False),
        ("sutra-api:building-", False),
        ("sutra-api:building-4711x", False),
        ("arm64/sutra-api:prod", True),
        ("arm64/sutra-api:1.4.2", False),
        ("arm64/sutra-api:building-12", True),
    ],
)
def test_what_a_build_tags_again(reference: str, rebuilt: bool) -> None:
    assert SCOPE.rebuilds(reference) is rebuilt


FORMER = Scope("sutra", frozenset({"sutra-api:prod"}), former=frozenset({"acme"}))


@pytest.mark.parametrize(
    ("reference", "owned", "rebuilt"),
    [
        ("acme:prod", True, True),
        ("acme:dev", True, True),
        ("arm64/acme:prod", True, True),
        ("acme:latest", True, False),  # promoted: rollback needs it
        ("acme:kept-0123456789ab", True, False),
        ("acme-b:prod", False, False),
    ],
)
def test_a_service_that_was_removed_is_still_ours(
    reference: str, owned: bool, rebuilt: bool
) -> None:
    assert (FORMER.owns(reference), FORMER.rebuilds(reference)) == (owned, rebuilt)


def test_services_that_were_removed_are_known_by_the_ledger_and_by_the_lists_history(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def commit(*names: str) -> None:
        lines = [f'    {{ name = "{name}", language = "go", folder = "a" }},\n' for name in names]
        (folder / "docker-bake.hcl").write_text("".join(lines))
        words = ["-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "-qam", "x"]
        subprocess.run(["git", "add", "docker-bake.hcl"], check=True)
        subprocess.run(["git", *words], check=True)

    def plan(groups: list[str], variables: dict[str, str]) -> dict[str, Any]:
        api = {"tags": ["api:prod"], "context": ".", "dockerfile": "D"}
        return {"target": {"api": api}, "group": {"default": {"targets": ["api"]}}}

    (folder / "D").write_text("RUN --mount=type=cache,id=${SUTRA_PROJECT}-a,target=/b true\n")
    monkeypatch.setattr("scripts.engine.buildx.bake_plan", plan)
    promoted = SimpleNamespace(images={"api": None, "arm64/acme-promoted": None})
    monkeypatch.setattr("scripts.history.ledger.read", lambda: [promoted])
    assert scope.read("mine").former == {"acme-promoted"}  # no git is there
    subprocess.run(["git", "init", "-q"], check=True)
    commit("api", "acme-listed", "acme-renamed")
    commit("api", "acme-new")
    read = scope.read("mine")
    assert read.former == {"acme-promoted", "acme-listed", "acme-renamed", "acme-new"}
    assert read.tags == {"api:prod"}
    assert {"mine-a", "mine-acme-listed-target", "mine-acme-listed-test"} <= read.caches


@given(st.text(alphabet="abc-:/.0129", max_size=20))
def test_no_text_that_is_not_one_of_our_repositories_is_ours(text: str) -> None:
    repository = text.rpartition(":")[0]
    assert SCOPE.owns(text) is (repository in {"sutra-api", "sutra-base-python"})


def test_cache_mounts_are_ours_where_they_name_the_project(folder: Path) -> None:
    (folder / "Dockerfile").write_text(
        "RUN --mount=type=cache,target=/root/.cache/pip \\\n"
        "    --mount=type=cache,id=shared,target=/shared \\\n"
        "    --mount=type=cache,id=${SUTRA_PROJECT}-storage-target,target=/build \\\n"
        "    --mount=id=${SUTRA_PROJECT}-first,type=cache,target=/build \\\n"
        "    --mount=type=secret,id=${SUTRA_PROJECT}-secret true\n"
    )
    target = {"context": ".", "dockerfile": "Dockerfile"}
    assert cache_ids("mine", [target]) == {"mine-storage-target", "mine-first"}


def test_only_what_was_shown_goes_and_only_by_tags_that_were_shown() -> None:
    shown = [
        Resource("image", "sha256:1", "old", 1, "", ("a:prod",)),
        Resource("image", "sha256:2", "kept then", 1, "promoted: rollback needs it", ("a:latest",)),
        Resource("image", "sha256:3", "kept now", 1),
        Resource("image", "sha256:5", "tagged again", 1, "", ("a:dev",)),
    ]
    now = [
        Resource("image", "sha256:1", "old", 1, "", ("a:new", "a:prod")),
        Resource("image", "sha256:2", "kept then", 1, "", ("a:latest",)),
        Resource("image", "sha256:3", "kept now", 1, "in use by another project's container x"),
        Resource("image", "sha256:4", "came since", 1),
        Resource("image", "sha256:5", "tagged again", 1, "", ("a:prod",)),
        Resource("volume", "sha256:1", "another kind", 1),
    ]
    assert only(now, shown) == [
        Resource("image", "sha256:1", "old", 1, "", ("a:prod",)),
        Resource("image", "sha256:2", "kept then", 1, "", ("a:latest",)),
    ]


def test_one_label_in_all_files() -> None:
    # with and without a root that is known by its digest
    assert _text("docker-bake.hcl").count(f'"{scope.LABEL}" = SUTRA_PROJECT') == 2
    assert f"{scope.LABEL}: ${{SUTRA_PROJECT:-sutra}}" in _text("docker-compose.yml")
    assert f"label={scope.LABEL}=$PROJECT" in _text("sutra-deploy.sh")


def _text(name: str) -> str:
    return (ROOT / name).read_text()
