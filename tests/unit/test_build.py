from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError

from scripts import build
from scripts.errors import SutraError
from tests.unit.fakes import FakeEngine, FakeImage, tar_of

PLAN: dict[str, Any] = {
    "group": {"prod": {"targets": ["builder", "sutra-base-python", "sutra-api"]}},
    "target": {
        "builder": {
            "args": {"BASE": "debian", "DEBIAN_VERSION": "trixie-slim"},
            "output": ["type=cacheonly"],
        },
        "sutra-base-python": {"tags": ["sutra-base-python:prod", "sutra-base-python:1"]},
        "sutra-api": {"tags": ["sutra-api:prod"]},
    },
}
CATALOG = """\
release: {budget: {installed: 9 MB, download: 1 MB}}
images:
  sutra-base-python: {budget: {installed: 9 MB, download: 1 MB}}
  sutra-api: {budget: {installed: 3 MB, download: 1 MB}}
"""
SPACE_TIP = "`docker system df` shows what fills it"


# ---- small parts -----------------------------------------------------------


def test_the_tags_of_exported_targets_are_requested() -> None:
    assert build.requested_tags(PLAN) == {
        "sutra-base-python": ["sutra-base-python:prod", "sutra-base-python:1"],
        "sutra-api": ["sutra-api:prod"],
    }


@pytest.mark.parametrize("target", [{}, {"tags": []}, {"tags": None}, {"output": ["type=docker"]}])
def test_a_target_without_tags_requests_none(target: dict[str, Any]) -> None:
    assert build.requested_tags({"target": {"a": target}}) == {}


def test_a_given_bundle_is_used(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    assert build.ca_bundle({"CA_BUNDLE": str(bundle)}) == str(bundle)


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_a_given_bundle_that_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    named = tmp_path / "absent.pem" if kind == "missing" else tmp_path
    with pytest.raises(SutraError) as caught:
        build.ca_bundle({"CA_BUNDLE": str(named)})
    assert caught.value.message == f'CA_BUNDLE: no such file "{named}"'
    assert caught.value.tip == "name a PEM file, or leave CA_BUNDLE out"


@pytest.mark.parametrize("environment", [{}, {"CA_BUNDLE": ""}])
def test_without_one_the_first_bundle_of_the_system_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    places = [str(tmp_path / name) for name in ("debian", "fedora", "suse")]
    monkeypatch.setattr(build, "SYSTEM_BUNDLES", places)
    assert build.ca_bundle(environment) == ""
    Path(places[1]).touch()
    Path(places[2]).touch()
    assert build.ca_bundle(environment) == places[1]


# ---- commit_labels ---------------------------------------------------------


def git(*words: str) -> str:
    settings = ["-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *settings, *words],
        env={**os.environ, "GIT_COMMITTER_DATE": "2024-05-06T07:08:09+02:00"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def repository(folder: Path) -> Path:
    git("init")
    (folder / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "one")
    return folder


def test_a_clean_commit_is_named_by_its_hash(repository: Path) -> None:
    assert build.commit_labels() == {
        "VERSION": git("rev-parse", "--short", "HEAD"),
        "REVISION": git("rev-parse", "HEAD"),
        "CREATED": "2024-05-06T07:08:09+02:00",
    }


def test_a_tagged_commit_is_named_by_its_tag(repository: Path) -> None:
    git("tag", "v1.2.3")
    assert build.commit_labels() == {
        "VERSION": "v1.2.3",
        "REVISION": git("rev-parse", "HEAD"),
        "CREATED": "2024-05-06T07:08:09+02:00",
    }


@pytest.mark.parametrize("staged", [False, True])
def test_changes_that_are_not_committed_show(repository: Path, staged: bool) -> None:
    (repository / "file").write_text("2")
    if staged:
        git("add", "file")
    assert build.commit_labels() == {
        "VERSION": git("rev-parse", "--short", "HEAD") + "-dirty",
        "REVISION": git("rev-parse", "HEAD") + "-dirty",
        "CREATED": "2024-05-06T07:08:09+02:00",
    }


def test_files_that_git_does_not_know_do_not_show(repository: Path) -> None:
    (repository / "new").touch()
    assert build.commit_labels()["REVISION"] == git("rev-parse", "HEAD")


def test_outside_of_a_repository_there_are_no_labels(folder: Path) -> None:
    assert build.commit_labels() == {}


def test_a_repository_without_commits_has_no_labels(folder: Path) -> None:
    git("init")
    assert build.commit_labels() == {}


def test_without_git_there_are_no_labels(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    assert build.commit_labels() == {}


# ---- require_space ---------------------------------------------------------


def require(disk: str, need: int) -> None:
    build.require_space(FakeEngine(disk), need)


def refused(disk: str, need: int) -> str:
    with pytest.raises(SutraError) as caught:
        require(disk, need)
    assert caught.value.tip == SPACE_TIP
    return caught.value.message


def test_a_disk_with_too_little_space_is_refused(tmp_path: Path) -> None:
    message = refused(str(tmp_path), 10**18)
    assert re.fullmatch(
        r"build: \d+\.\d GB free on the engine's disk, 1000000000\.0 GB needed", message
    )


def test_exactly_enough_is_enough_and_a_byte_less_is_not() -> None:
    """/proc has no bytes free, on any machine."""
    assert os.statvfs("/proc").f_bavail == 0
    assert refused("/proc", 1) == "build: 0.0 GB free on the engine's disk, 0.0 GB needed"
    require("/proc", 0)


def test_a_build_needs_five_gigabytes() -> None:
    with pytest.raises(SutraError) as caught:
        build.require_space(FakeEngine("/proc"))
    assert caught.value.message == "build: 0.0 GB free on the engine's disk, 5.0 GB needed"


def test_the_disk_of_another_machine_is_not_judged() -> None:
    engine = FakeEngine("/nonexistent/docker")
    assert build.require_space(engine, 10**18) is None


# ---- failure ---------------------------------------------------------------

STEP = """\
#12 [sutra-api builder 3/5] RUN pip install
#12 ERROR: process "/bin/sh -c pip install" did not complete successfully: exit code: 1
------
 > [sutra-api builder 3/5] RUN pip install:
0.412 {reason}
------
Dockerfile.prod:12
--------------------
ERROR: failed to solve: process "/bin/sh -c pip install" did not complete successfully: exit code: 1
"""
REGISTRY = """\
#3 [sutra-api internal] load metadata for docker.io/library/debian:trixie-slim
------
 > [sutra-api internal] load metadata for docker.io/library/debian:trixie-slim:
------
ERROR: failed to solve: debian:trixie-slim: failed to resolve source metadata for \
docker.io/library/debian:trixie-slim: failed to do request: dial tcp: no such host
"""


@pytest.mark.parametrize(
    ("output", "message", "tip"),
    [
        (
            STEP.format(reason="error: no matching distribution"),
            'build: step failed "sutra-api builder 3/5": process "/bin/sh -c pip install" '
            "did not complete successfully: exit code: 1",
            "the step's own output is above; mend it, then run `make build` again",
        ),
        (
            STEP.format(reason="OSError: [Errno 28] no space left on device"),
            'build: no space left on the engine\'s disk at step "sutra-api builder 3/5"',
            SPACE_TIP,
        ),
        (
            "ERROR: failed to solve: write /var/lib/docker/x: no space left on device\n",
            'build: no space left on the engine\'s disk at step "the first step"',
            SPACE_TIP,
        ),
        (
            REGISTRY,
            'build: registry unreachable for "debian:trixie-slim"',
            "check the network, or `docker load` an archive of it, then run `make build` again",
        ),
        (
            "ERROR: target sutra-x: failed to solve: rpc error: code = Unavailable\n",
            'build: step failed "the first step": rpc error: code = Unavailable',
            "the step's own output is above; mend it, then run `make build` again",
        ),
        (
            "ERROR: failed to connect to the docker API\n",
            'build: step failed "the first step": failed to connect to the docker API',
            "the step's own output is above; mend it, then run `make build` again",
        ),
        (
            "",
            'build: step failed "the first step": no reason given',
            "the step's own output is above; mend it, then run `make build` again",
        ),
    ],
    ids=["step", "no space", "no space at once", "registry", "target", "engine", "nothing"],
)
def test_a_failed_build_is_one_clear_line(output: str, message: str, tip: str) -> None:
    error = build.failure(output.splitlines())
    assert (error.message, error.tip) == (message, tip)


# ---- build, on an engine in memory -----------------------------------------


class Bake:
    """`docker buildx bake` on an engine in memory: stages one image a target."""

    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine
        self.code = 0
        self.error: BaseException | None = None
        self.plans: list[tuple[list[str], dict[str, str]]] = []
        self.builds: list[tuple[list[str], list[str], dict[str, str]]] = []

    def plan(self, groups: Sequence[str], knobs: Mapping[str, str]) -> dict[str, Any]:
        self.plans.append((list(groups), dict(knobs)))
        return PLAN

    def bake(
        self, groups: Sequence[str], overrides: Sequence[str], knobs: Mapping[str, str]
    ) -> tuple[int, list[str]]:
        self.builds.append((list(groups), list(overrides), dict(knobs)))
        done = overrides[:1] if self.code or self.error else overrides
        for override in done:
            tag = override.partition(".tags=")[2]
            self.engine.add(FakeImage([tar_of({tag: b"new"})]), tag)
        if self.error:
            raise self.error
        return self.code, STEP.format(reason="boom").splitlines() if self.code else []


@pytest.fixture
def bake(engine: FakeEngine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Bake:
    made = Bake(engine)
    engine.add(FakeImage([]), "debian:trixie-slim")
    engine.add(FakeImage([tar_of({"old": b"1"})]), "sutra-api:prod")
    monkeypatch.setattr("scripts.engine.bake_plan", made.plan)
    monkeypatch.setattr("scripts.engine.bake", made.bake)
    monkeypatch.setattr(build, "SYSTEM_BUNDLES", [])
    (folder / "images.yaml").write_text(CATALOG)
    return made


STAGED = ["sutra-base-python.tags=sutra-base-python:building", "sutra-api.tags=sutra-api:building"]


def test_a_build_moves_every_tag_and_leaves_no_other(engine: FakeEngine, bake: Bake) -> None:
    build.build(engine, ["prod"], {})
    new = {
        name: FakeImage([tar_of({f"{name}:building": b"new"})]).id
        for name in ("sutra-base-python", "sutra-api")
    }
    assert {tag: image for tag, image in engine.tags.items() if tag.startswith("sutra")} == {
        "sutra-base-python:prod": new["sutra-base-python"],
        "sutra-base-python:1": new["sutra-base-python"],
        "sutra-api:prod": new["sutra-api"],
    }


def test_knobs_reach_the_plan_and_the_build(engine: FakeEngine, bake: Bake, folder: Path) -> None:
    bundle = folder / "ca.pem"
    bundle.touch()
    build.build(engine, ["prod"], {"CA_BUNDLE": str(bundle)})
    assert bake.plans == [(["prod"], {"CA_BUNDLE": str(bundle)})]
    assert bake.builds == [(["prod"], STAGED, {"CA_BUNDLE": str(bundle), "ROOT_CONTEXT": ""})]


def test_the_labels_of_the_commit_reach_the_build(
    engine: FakeEngine, bake: Bake, repository: Path
) -> None:
    build.build(engine, ["prod"], {})
    assert bake.builds[0][2] == {
        "CA_BUNDLE": "", "ROOT_CONTEXT": "", **build.commit_labels()
    }  # fmt: skip
    assert len(bake.builds[0][2]) == 5


def test_the_context_of_a_bootstrapped_root_reaches_the_build(
    engine: FakeEngine, bake: Bake, folder: Path
) -> None:
    del engine.tags["debian:trixie-slim"]
    layout = folder / ".cache" / "roots" / "debian-trixie-slim"
    layout.mkdir(parents=True)
    (layout / "index.json").touch()
    build.build(engine, ["prod"], {})
    assert bake.builds[0][2]["ROOT_CONTEXT"] == f"oci-layout://{layout}:trixie-slim"


def test_a_failed_build_moves_no_tag(engine: FakeEngine, bake: Bake) -> None:
    before = dict(engine.tags)
    bake.code = 1
    with pytest.raises(SutraError) as caught:
        build.build(engine, ["prod"], {})
    assert caught.value.message == (
        'build: step failed "sutra-api builder 3/5": process "/bin/sh -c pip install" '
        "did not complete successfully: exit code: 1"
    )
    assert engine.tags == before
    assert engine.moves == []


def test_an_interrupted_build_moves_no_tag(engine: FakeEngine, bake: Bake) -> None:
    before = dict(engine.tags)
    bake.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        build.build(engine, ["prod"], {})
    assert engine.tags == before
    assert engine.moves == []


@pytest.mark.parametrize("tag", ["sutra-base-python:prod", "sutra-base-python:1", "sutra-api:prod"])
@pytest.mark.parametrize(
    "error",
    [APIError("500", explanation="disk is read-only"), KeyboardInterrupt()],
    ids=["failure", "interrupt"],
)
def test_when_a_tag_cannot_be_moved_none_is(
    engine: FakeEngine, bake: Bake, tag: str, error: BaseException
) -> None:
    before = dict(engine.tags)
    engine.fail_tag, engine.error = tag, error
    with pytest.raises((SutraError, KeyboardInterrupt)) as caught:
        build.build(engine, ["prod"], {})
    if isinstance(error, APIError):
        assert str(caught.value) == f'engine: cannot tag "{tag}": disk is read-only'
    assert engine.tags == before


def test_a_full_disk_is_refused_before_anything_is_built(engine: FakeEngine, bake: Bake) -> None:
    engine.disk = "/proc"
    with pytest.raises(SutraError) as caught:
        build.build(engine, ["prod"], {})
    assert caught.value.message == "build: 0.0 GB free on the engine's disk, 5.0 GB needed"
    assert (bake.plans, bake.builds) == ([], [])


def test_a_catalogue_that_names_other_images_is_refused_before_anything_is_built(
    engine: FakeEngine, bake: Bake, folder: Path
) -> None:
    (folder / "images.yaml").write_text(CATALOG.replace("sutra-api", "sutra-app"))
    with pytest.raises(SutraError) as caught:
        build.build(engine, ["prod"], {})
    assert caught.value.message == (
        'images.yaml: images.sutra-app: not an image of docker-bake.hcl, did you mean "sutra-api"?'
    )
    assert bake.builds == []


def test_other_groups_are_not_held_against_the_catalogue(
    engine: FakeEngine, bake: Bake, folder: Path
) -> None:
    (folder / "images.yaml").unlink()
    build.build(engine, ["dev", "test"], {})
    assert bake.builds[0][:2] == (["dev", "test"], STAGED)


@pytest.mark.parametrize(("words", "groups"), [([], ["prod"]), (["dev", "test"], ["dev", "test"])])
def test_main_builds_prod_without_other_groups(
    engine: FakeEngine,
    bake: Bake,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    groups: list[str],
) -> None:
    monkeypatch.setattr("scripts.engine.connect", lambda: engine)
    monkeypatch.setattr(sys, "argv", ["build", *words])
    assert build.main() == 0
    assert bake.builds[0][0] == groups
