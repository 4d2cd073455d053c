from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError

from scripts.__main__ import main as front_door
from scripts.build import bake as build
from scripts.common import git
from scripts.common import settings as knobs
from scripts.common.errors import SutraError
from scripts.engine import builders, images
from scripts.engine.builder_nodes import Node
from tests.conftest import ROOT
from tests.unit.build.test_failure import STEP
from tests.unit.fakes import FakeEngine, FakeImage, run_git, tar_of

PLAN: dict[str, Any] = {
    "group": {
        "default": {"targets": ["prod"]},
        "prod": {"targets": ["builders", "sutra-base-python", "sutra-api"]},
        "builders": {"targets": ["builder"]},
    },
    "target": {
        "builder": {
            "args": {"BASE": "debian", "DEBIAN_VERSION": "trixie-slim"},
            "output": ["type=cacheonly"],
        },
        "sutra-base-python": {
            "tags": ["sutra-base-python:prod", "sutra-base-python:1"],
            "output": ["type=docker"],
        },
        "sutra-api": {"tags": ["sutra-api:prod"], "output": ["type=docker"]},
    },
}
CATALOG = """\
release: {budget: {installed: 9 MB, download: 1 MB}}
images:
  sutra-base-python: {budget: {installed: 9 MB, download: 1 MB}}
  sutra-api: {budget: {installed: 3 MB, download: 1 MB}}
"""
ROOT_DIGEST = "sha256:" + "d" * 64
NODE = Node("farm0", "tcp://127.0.0.1:7770", "running", ("linux/amd64",))
FARM = builders.Builder("farm", "remote", (NODE,))
SPACE_TIP = "`docker system df` shows what fills it, `make clean DRY_RUN=1` this project's part"


# ---- small parts -----------------------------------------------------------


def asked_for(*names: str) -> dict[str, Any]:
    """Return the printed PLAN of the targets `names`."""
    return {**PLAN, "group": {**PLAN["group"], "default": {"targets": list(names)}}}


def test_the_tags_of_exported_targets_are_requested() -> None:
    assert build.requested_tags(PLAN) == {
        "sutra-base-python": ["sutra-base-python:prod", "sutra-base-python:1"],
        "sutra-api": ["sutra-api:prod"],
    }


def test_groups_in_groups_are_followed() -> None:
    groups = {
        "default": {"targets": ["all", "d"]},
        "all": {"targets": ["a", "inner"]},
        "inner": {"targets": ["b", "innermost"]},
        "innermost": {"targets": ["c"]},
    }
    targets = {name: {"tags": [f"{name}:prod"]} for name in "dcbax"}
    tags = build.requested_tags({"group": groups, "target": targets})
    assert list(tags.items()) == [(name, [f"{name}:prod"]) for name in "abcd"]


def test_a_single_target_requests_its_own_tags() -> None:
    alone = {
        "group": {"default": {"targets": ["sutra-api"]}},
        "target": {"sutra-api": {"tags": ["sutra-api:prod"]}},
    }
    assert build.requested_tags(alone) == {"sutra-api": ["sutra-api:prod"]}


def test_a_target_and_its_group_request_its_tags_once() -> None:
    assert build.requested_tags(asked_for("sutra-api", "prod")) == build.requested_tags(PLAN)


def test_a_target_that_is_only_linked_requests_none() -> None:
    """Newer buildx prints it with its tags, and with an output that exports nothing."""
    linked = {
        "group": {"default": {"targets": ["sutra-api"]}},
        "target": {
            "sutra-api": {
                "contexts": {"sutra-base-python": "target:sutra-base-python"},
                "tags": ["sutra-api:prod"],
                "output": [{"type": "docker"}],
            },
            "sutra-base-python": {
                "tags": ["sutra-base-python:prod"],
                "output": [{"type": "cacheonly"}],
            },
        },
    }
    assert build.requested_tags(linked) == {"sutra-api": ["sutra-api:prod"]}


@pytest.mark.parametrize("target", [{}, {"tags": []}, {"tags": None}, {"output": ["type=docker"]}])
def test_a_target_without_tags_requests_none(target: dict[str, Any]) -> None:
    plan = {"group": {"default": {"targets": ["a"]}}, "target": {"a": target}}
    assert build.requested_tags(plan) == {}


def test_a_given_bundle_is_used(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    assert knobs.ca_bundle({"CA_BUNDLE": str(bundle)}) == str(bundle)


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_a_given_bundle_that_is_not_a_file_is_refused(tmp_path: Path, kind: str) -> None:
    named = tmp_path / "absent.pem" if kind == "missing" else tmp_path
    with pytest.raises(SutraError) as caught:
        knobs.ca_bundle({"CA_BUNDLE": str(named)})
    assert caught.value.message == f'CA_BUNDLE: no such file "{named}"'
    assert caught.value.tip == "name a PEM file, or leave CA_BUNDLE out"


@pytest.mark.parametrize("environment", [{}, {"CA_BUNDLE": ""}])
def test_without_one_the_first_bundle_of_the_system_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    places = [str(tmp_path / name) for name in ("debian", "fedora", "suse")]
    monkeypatch.setattr(knobs, "SYSTEM_BUNDLES", places)
    assert knobs.ca_bundle(environment) == ""
    Path(places[1]).touch()
    Path(places[2]).touch()
    assert knobs.ca_bundle(environment) == places[1]


# ---- require_space ---------------------------------------------------------


NAMES = ("sutra-base-python", "sutra-api")
REFERENCES = [f"{name}:prod" for name in NAMES]
COLD = "build: {free} GB free on the engine's disk, 5.0 GB needed"
WARM = "build: {free} GB free on the engine's disk, 1.0 GB needed"


class Disk:
    """Return statvfs' answer for a disk with `free` bytes for users other than root."""

    f_bfree = 10**18

    def __init__(self, free: int) -> None:
        self.f_frsize = 1000 if free % 1000 == 0 else 1
        self.f_bavail = free // self.f_frsize


@pytest.fixture
def local(engine: FakeEngine, tmp_path: Path) -> FakeEngine:
    """An engine whose disk is on this machine."""
    engine.disk = str(tmp_path)
    return engine


def build_all(engine: FakeEngine) -> None:
    for name in NAMES:
        engine.add(FakeImage([tar_of({name: b"1"})]), f"{name}:prod")


def refused(engine: FakeEngine) -> str:
    with pytest.raises(SutraError) as caught:
        build.require_space(engine, REFERENCES)
    assert caught.value.tip == SPACE_TIP
    return caught.value.message


def leave(monkeypatch: pytest.MonkeyPatch, engine: FakeEngine, free: int) -> None:
    def statvfs(path: str | Path) -> Disk:
        assert str(path) == engine.disk
        return Disk(free)

    monkeypatch.setattr("os.statvfs", statvfs)


def test_the_thresholds_are_those_of_the_documentation() -> None:
    assert (build.COLD_BYTES, build.WARM_BYTES) == (5_000_000_000, 1_000_000_000)


@pytest.mark.parametrize("built", [(), ("sutra-api",), ("sutra-base-python",)])
def test_a_first_build_needs_exactly_five_gigabytes(
    local: FakeEngine, monkeypatch: pytest.MonkeyPatch, built: tuple[str, ...]
) -> None:
    for name in built:
        local.add(FakeImage([]), f"{name}:prod")
    leave(monkeypatch, local, 5_000_000_000)
    build.require_space(local, REFERENCES)  # raises nothing
    leave(monkeypatch, local, 4_999_999_999)
    assert refused(local) == COLD.format(free="5.0")
    leave(monkeypatch, local, 1_000_000_000)
    assert refused(local) == COLD.format(free="1.0")


def test_a_later_build_needs_exactly_one_gigabyte(
    local: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_all(local)
    leave(monkeypatch, local, 1_000_000_000)
    build.require_space(local, REFERENCES)  # raises nothing
    leave(monkeypatch, local, 999_999_999)
    assert refused(local) == WARM.format(free="1.0")
    leave(monkeypatch, local, 0)
    assert refused(local) == WARM.format(free="0.0")


def test_images_of_other_tags_make_no_later_build(
    local: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES:
        local.add(FakeImage([]), f"{name}:latest", f"{name}:dev")
    leave(monkeypatch, local, 4_999_999_999)
    assert refused(local) == COLD.format(free="5.0")


def test_a_real_disk_without_space_is_refused(engine: FakeEngine) -> None:
    """/proc has no bytes free, on any machine."""
    assert os.statvfs("/proc").f_bavail == 0
    engine.disk = "/proc"
    assert refused(engine) == COLD.format(free="0.0")
    build_all(engine)
    assert refused(engine) == WARM.format(free="0.0")


def test_the_disk_of_another_machine_is_not_judged(engine: FakeEngine) -> None:
    """This holds even if there is a folder of that name."""
    engine.base_url, engine.disk = "http://build.example:2375", "/proc"
    build.require_space(engine, REFERENCES)  # raises nothing


def test_a_disk_that_is_not_here_is_not_judged(engine: FakeEngine) -> None:
    engine.disk = "/nonexistent/docker"
    build.require_space(engine, REFERENCES)  # raises nothing


# ---- build, on an engine in memory -----------------------------------------


# the end of BuildKit's line, as Docker 26.1 wrote it
FORGOTTEN = (
    "failed to get state for index 0 on [toolchain 2/3] RUN --mount=type=bind apt.sh: install"
)


class Bake:
    """`docker buildx bake` on an engine in memory: stages one image a target."""

    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine
        self.code = 0
        self.builder = builders.OWN
        self.error: BaseException | None = None
        self.metadata: dict[str, Any] = {}
        self.damaged = False  # what its cache holds
        self.forgets = 0  # builds that end because BuildKit has lost a step
        self.plans: list[tuple[list[str], dict[str, str]]] = []
        self.builds: list[tuple[list[str], list[str], dict[str, str]]] = []

    def plan(self, groups: Sequence[str], knobs: Mapping[str, str]) -> dict[str, Any]:
        self.plans.append((list(groups), dict(knobs)))
        return PLAN

    def bake(
        self,
        groups: Sequence[str],
        overrides: Sequence[str],
        knobs: Mapping[str, str],
        metadata: Path,
    ) -> tuple[int, list[str]]:
        self.builds.append((list(groups), list(overrides), dict(knobs)))
        metadata.write_text(json.dumps(self.metadata))
        if self.damaged and any("cache-from" in option for option in overrides):
            return 1, ["ERROR: unexpected commit digest sha256:a, expected sha256:b"]
        if self.forgets:
            self.forgets -= 1
            return 1, [f"ERROR: failed to solve: failed to compute cache key: {FORGOTTEN}"]
        done = overrides[:1] if self.code or self.error else overrides
        for override in done:
            tag = override.partition(".tags=")[2]
            self.engine.add(FakeImage([tar_of({tag: b"new"})]), tag)
        if self.error:
            raise self.error
        return self.code, STEP.format(reason="boom").splitlines() if self.code else []


@pytest.fixture
def bake(engine: FakeEngine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Bake:
    fake = Bake(engine)
    engine.add(FakeImage([]), "debian:trixie-slim")
    engine.add(FakeImage([tar_of({"old": b"1"})]), "sutra-api:prod")
    monkeypatch.setattr("scripts.engine.buildx.bake_plan", fake.plan)
    monkeypatch.setattr("scripts.engine.buildx.bake", fake.bake)
    monkeypatch.setattr("scripts.engine.builders.find", lambda environment: fake.builder)
    monkeypatch.setattr(knobs, "SYSTEM_BUNDLES", [])
    (folder / "images.yaml").write_text(CATALOG)
    return fake


STAGED = [
    f"{name}.tags={name}:building-{os.getpid()}" for name in ("sutra-base-python", "sutra-api")
]


def test_what_has_no_output_of_its_own_is_loaded() -> None:
    """BUILDX_NO_DEFAULT_LOAD keeps out intermediate targets, and would keep out these too."""
    plan = {"target": {"api": {"tags": ["api:prod"]}, "hybrid": {"output": ["type=docker"]}}}
    assert build.loaded(plan, ["api", "hybrid"]) == ["api.output=type=docker"]


def test_the_staging_tag_is_of_this_run_alone() -> None:
    assert f"building-{os.getpid()}" == build.STAGING


def test_a_build_moves_every_tag_and_leaves_no_other(engine: FakeEngine, bake: Bake) -> None:
    build.build(engine, ["prod"], {})
    new = {
        name: FakeImage([tar_of({f"{name}:{build.STAGING}": b"new"})]).id
        for name in ("sutra-base-python", "sutra-api")
    }
    assert {tag: image for tag, image in engine.tags.items() if tag.startswith("sutra")} == {
        "sutra-base-python:prod": new["sutra-base-python"],
        "sutra-base-python:1": new["sutra-base-python"],
        "sutra-api:prod": new["sutra-api"],
    }


PLATFORMS = {"PLATFORMS": "linux/amd64,linux/arm64"}


@pytest.fixture
def built_as_asked(amd64: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is built on this machine is of the architecture that is asked for."""
    inspect = images.inspect

    def of_its_platform(client: Any, reference: str) -> dict[str, Any] | None:
        image = inspect(client, reference)
        other = reference.startswith("arm64/")
        return image and {**image, "Architecture": "arm64" if other else "amd64"}

    monkeypatch.setattr(images, "inspect", of_its_platform)


@pytest.mark.usefixtures("built_as_asked")
def test_each_platform_is_built_and_has_a_repository_of_its_own(
    engine: FakeEngine, bake: Bake
) -> None:
    built = build.build(engine, ["prod"], PLATFORMS)
    names = ("sutra-base-python:prod", "sutra-base-python:1", "sutra-api:prod")
    assert list(built) == [*names, *(f"arm64/{name}" for name in names)]
    assert built.items() <= engine.tags.items()
    assert not any("building" in tag for tag in engine.tags)
    (_, own, own_knobs), (_, other, other_knobs) = bake.builds
    assert own == STAGED
    assert other == [tag.replace(".tags=", ".tags=arm64/") for tag in STAGED]
    assert "PLATFORM" not in own_knobs
    assert other_knobs == {**own_knobs, "PLATFORM": "linux/arm64"}
    assert [knobs.get("PLATFORM", "") for _, knobs in bake.plans] == ["", "linux/arm64"]


@pytest.mark.usefixtures("built_as_asked")
def test_where_one_platform_fails_no_tag_moves_on_any(
    engine: FakeEngine, bake: Bake, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, whole = dict(engine.tags), bake.bake

    def second_fails(*words: Any) -> tuple[int, list[str]]:
        bake.code = len(bake.builds)
        return whole(*words)

    monkeypatch.setattr("scripts.engine.buildx.bake", second_fails)
    with pytest.raises(SutraError, match="build: step failed"):
        build.build(engine, ["prod"], PLATFORMS)
    assert len(bake.builds) == 2
    assert engine.tags == before


@pytest.mark.usefixtures("amd64")
def test_an_image_of_another_platform_than_was_asked_for_gets_no_tag(
    engine: FakeEngine, bake: Bake
) -> None:
    """A builder without a node of that platform, or a Dockerfile that copies a wrong stage."""
    before = dict(engine.tags)
    with pytest.raises(SutraError) as caught:
        build.build(engine, ["prod"], PLATFORMS)
    assert (caught.value.message, caught.value.tip) == (
        f'build: "sutra-base-python" is an image for "{FakeImage([]).attrs["Architecture"]}", '
        "expected arm64",
        "the builder has no node of that platform, or its Dockerfile takes from another",
    )
    assert engine.tags == before


@pytest.mark.usefixtures("built_as_asked")
def test_a_node_of_the_platform_compiles_there(
    engine: FakeEngine, bake: Bake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOT_CONTEXT", "oci-layout:///roots:1")
    other = Node("farm1", "tcp://127.0.0.1:7771", "running", ("linux/arm64",), ("linux/arm64",))
    bake.builder = replace(FARM, nodes=(NODE, other))
    monkeypatch.setattr("scripts.engine.registries.registry_refusal", lambda *_: "")
    build.build(engine, ["prod"], PLATFORMS)
    assert [knobs.get("PLATFORM_NATIVE", "") for _, knobs in bake.plans] == ["", "1"]


@pytest.mark.usefixtures("amd64")
def test_a_first_node_of_another_platform_builds_nothing_for_this_machine(
    engine: FakeEngine, bake: Bake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would build whatever names no platform, for its own."""
    root = {"ROOT": f"debian@{ROOT_DIGEST}", "ROOT_CONTEXT": "oci-layout:///roots:1"}
    monkeypatch.setattr(build, "root_variable", lambda *_: root)
    other = Node("farm0", "tcp://127.0.0.1:7771", "running", ("linux/arm64",))
    bake.builder = replace(FARM, nodes=(other, NODE))
    ids = build.build(engine, ["prod"], {})
    ((_, _, knobs),) = bake.builds
    wanted = {"PLATFORM": "linux/amd64", "PLATFORM_NATIVE": "1", **root}
    wanted |= {f"PLATFORM_{name}": value for name, value in root.items()}
    assert wanted.items() <= knobs.items()
    assert list(ids) == ["sutra-base-python:prod", "sutra-base-python:1", "sutra-api:prod"]


@pytest.mark.usefixtures("amd64")
def test_where_a_platforms_node_does_not_answer_no_tag_moves(
    engine: FakeEngine, bake: Bake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOT_CONTEXT", "oci-layout:///roots:1")
    before = dict(engine.tags)
    other = Node("farm1", "tcp://127.0.0.1:7771", "inactive", (), ("linux/arm64",))
    bake.builder = replace(FARM, nodes=(NODE, other))
    with pytest.raises(SutraError) as caught:
        build.build(engine, ["prod"], PLATFORMS)
    assert caught.value.message == 'builder: no answer from "farm" at tcp://127.0.0.1:7771'
    assert engine.tags == before


def test_wrong_platforms_are_refused_before_anything_is_built(
    engine: FakeEngine, bake: Bake
) -> None:
    with pytest.raises(SutraError, match='PLATFORMS: unknown "linux/arm"'):
        build.build(engine, ["prod"], {"PLATFORMS": "linux/arm"})
    assert (bake.plans, bake.builds) == ([], [])


@pytest.mark.usefixtures("built_as_asked")
def test_each_platform_has_a_cache_of_its_own(
    engine: FakeEngine, bake: Bake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOT_CONTEXT", "oci-layout:///roots:1")
    bake.builder = FARM
    knobs = {"CACHE": "registry.example/c", "GITHUB_REF_NAME": "fix", **PLATFORMS}
    build.build(engine, ["prod"], knobs)
    kind = "type=registry,ref=registry.example/c"
    assert [
        [override for override in overrides if override.startswith("sutra-api.cache-to=")]
        for _, overrides, _ in bake.builds
    ] == [
        [f"sutra-api.cache-to={kind}:sutra-api-fix,mode=max,ignore-error=true"],
        [f"sutra-api.cache-to={kind}:sutra-api-arm64-fix,mode=max,ignore-error=true"],
    ]


def test_knobs_reach_the_plan_and_the_build(engine: FakeEngine, bake: Bake, folder: Path) -> None:
    bundle = folder / "ca.pem"
    bundle.touch()
    build.build(engine, ["prod"], {"CA_BUNDLE": str(bundle)})
    variables = {"CA_BUNDLE": str(bundle), "SUTRA_PROJECT": "sutra"}
    assert bake.plans == [(["prod"], variables)]
    assert bake.builds == [(["prod"], STAGED, {**variables, "ROOT_CONTEXT": "", "ROOT": ""})]


def test_a_caller_gets_the_variables_when_the_steps_begin(engine: FakeEngine, bake: Bake) -> None:
    variables: list[Mapping[str, str]] = []
    build.build(engine, ["prod"], {}, begun=variables.append)
    assert variables == [bake.builds[0][2]]


@pytest.mark.usefixtures("built_as_asked")
def test_a_caller_gets_no_variables_of_another_platform(
    engine: FakeEngine, bake: Bake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOT_CONTEXT", "oci-layout:///roots:1")
    bake.builder = FARM
    variables: list[Mapping[str, str]] = []
    build.build(engine, ["prod"], PLATFORMS, begun=variables.append)
    assert variables == [bake.builds[0][2]]
    assert "PLATFORM" not in variables[0]


def test_images_get_the_project_that_the_stack_has(
    engine: FakeEngine, bake: Bake, folder: Path
) -> None:
    """Compose reads `.env`, buildx does not."""
    (folder / ".env").write_text("SUTRA_PROJECT=b\n")
    build.build(engine, ["prod"], {})
    assert [variables["SUTRA_PROJECT"] for _, _, variables in bake.builds] == ["b"]


def test_the_labels_of_the_commit_reach_the_build(
    engine: FakeEngine, bake: Bake, repository: Path
) -> None:
    build.build(engine, ["prod"], {})
    assert bake.builds[0][2] == {
        "CA_BUNDLE": "",
        "SUTRA_PROJECT": "sutra",
        "ROOT_CONTEXT": "",
        "ROOT": "",
        **git.labels(),
        "SOURCE_DATE_EPOCH": run_git("show", "-s", "--format=%ct", "HEAD"),
    }
    assert len(bake.builds[0][2]) == 8


def test_the_context_of_a_bootstrapped_root_reaches_the_build(
    engine: FakeEngine, bake: Bake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.engine.client.has_containerd_store", lambda client: True)
    del engine.tags["debian:trixie-slim"]
    layout = folder / ".cache" / "roots" / "debian-trixie-slim"
    layout.mkdir(parents=True)
    (layout / "index.json").write_text(f'{{"manifests": [{{"digest": "{ROOT_DIGEST}"}}]}}')
    build.build(engine, ["prod"], {})
    assert bake.builds[0][2]["ROOT_CONTEXT"] == f"oci-layout://{layout}:trixie-slim"
    assert bake.builds[0][2]["ROOT"] == f"debian:trixie-slim@{ROOT_DIGEST}"


def test_another_builder_gets_the_root_as_a_layout(
    engine: FakeEngine, bake: Bake, folder: Path
) -> None:
    """The builder does not see the images of the engine."""
    bake.builder = FARM
    layout = folder / ".cache" / "roots" / "debian-trixie-slim"
    layout.mkdir(parents=True)
    (layout / "index.json").write_text(f'{{"manifests": [{{"digest": "{ROOT_DIGEST}"}}]}}')
    build.build(engine, ["prod"], {"BUILDER": "farm"})
    assert bake.builds[0][2]["ROOT_CONTEXT"] == f"oci-layout://{layout}:trixie-slim"
    assert bake.builds[0][2]["BUILDX_BUILDER"] == "farm"


def test_another_image_than_was_built_gets_no_tag(
    engine: FakeEngine, bake: Bake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dict(engine.tags)
    bake.builder = FARM
    bake.metadata = {"sutra-api": {"containerimage.digest": "sha256:other"}}
    monkeypatch.setattr("scripts.engine.client.has_containerd_store", lambda client: True)
    monkeypatch.setenv("ROOT_CONTEXT", "oci-layout:///roots:1")
    with pytest.raises(SutraError, match="the engine holds another image"):
        build.build(engine, ["prod"], {})
    assert engine.tags == before


def test_another_builder_needs_little_space_on_the_engine(
    local: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache is the builder's; an exact gigabyte takes the images."""
    leave(monkeypatch, local, 1_000_000_000)
    build.require_space(local, REFERENCES, FARM)  # raises nothing


def test_a_cache_is_read_and_written(
    engine: FakeEngine, bake: Bake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOT_CONTEXT", "oci-layout:///roots:1")
    bake.builder = FARM
    build.build(engine, ["prod"], {"CACHE": "registry.example/c", "GITHUB_REF_NAME": "fix"})
    (overrides,) = (options for _, options, _ in bake.builds)
    kind = "type=registry,ref=registry.example/c"
    assert [
        override for override in overrides if "cache-" in override and "sutra-api" in override
    ] == [
        f"sutra-api.cache-to={kind}:sutra-api-fix,mode=max,ignore-error=true",
        f"*.cache-from={kind}:sutra-api-fix",
        f"*.cache-from={kind}:sutra-api-main",
    ]


def test_a_cache_with_other_bytes_is_left_out(
    engine: FakeEngine,
    bake: Bake,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ROOT_CONTEXT", "oci-layout:///roots:1")
    bake.builder = FARM
    bake.damaged = True
    build.build(engine, ["prod"], {"CACHE": "registry.example/c"})
    first, second = (options for _, options, _ in bake.builds)
    assert [option for option in first if "cache-from" not in option] == second
    assert "sutra-api.cache-to=" in " ".join(second)
    assert (
        'CACHE: "registry.example/c" does not match its digests: building without it; '
        "delete it in the registry if this comes back"
    ) in capsys.readouterr().err.splitlines()


def test_a_step_that_buildkit_forgets_is_built_once_more(
    engine: FakeEngine, bake: Bake, capsys: pytest.CaptureFixture[str]
) -> None:
    bake.forgets = 1
    assert "sutra-api:prod" in build.build(engine, ["prod"], {})
    first, second = bake.builds
    assert first == second
    assert capsys.readouterr().err == f"{build.ONCE_MORE}\n"


def test_a_step_that_is_forgotten_twice_ends_the_build(engine: FakeEngine, bake: Bake) -> None:
    before = dict(engine.tags)
    bake.forgets = 2
    with pytest.raises(SutraError) as caught:
        build.build(engine, ["prod"], {})
    assert len(bake.builds) == 2
    assert engine.tags == before
    assert caught.value.message == (
        f'build: the builder "default" has forgotten a step, twice: {FORGOTTEN}'
    )


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
    assert caught.value.message == COLD.format(free="0.0")
    assert caught.value.tip == SPACE_TIP
    assert (len(bake.plans), bake.builds, engine.moves) == (1, [], [])


def test_a_full_disk_is_refused_before_a_later_build(engine: FakeEngine, bake: Bake) -> None:
    engine.disk = "/proc"
    tags = [tag for target in PLAN["target"].values() for tag in target.get("tags", ())]
    engine.add(FakeImage([]), *tags)
    with pytest.raises(SutraError) as caught:
        build.build(engine, ["prod"], {})
    assert caught.value.message == WARM.format(free="0.0")
    assert (bake.builds, engine.moves) == ([], [])


def test_the_catalogue_is_checked_before_the_disk(
    engine: FakeEngine, bake: Bake, folder: Path
) -> None:
    engine.disk = "/proc"
    (folder / "images.yaml").write_text(CATALOG.replace("sutra-api", "sutra-app"))
    with pytest.raises(SutraError) as caught:
        build.build(engine, ["prod"], {})
    assert caught.value.message == (
        'images.yaml: images.sutra-app: not an image of docker-bake.hcl, did you mean "sutra-api"?'
    )


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
    monkeypatch.setattr("scripts.engine.client.connect", lambda: engine)
    assert front_door(["build", *words]) == 0
    assert bake.builds[0][0] == groups


def test_refreshed_bases_run_their_steps_again_and_services_do_not() -> None:
    plan = {
        "target": {
            "python-runtime": {"context": "base-images"},
            "sutra-base-python": {"context": "base-images"},
            "sutra-api": {"context": "."},
        }
    }
    assert build.fresh(plan, {"REFRESH": "bases"}) == [
        "python-runtime.no-cache=true",
        "sutra-base-python.no-cache=true",
    ]
    assert build.fresh(plan, {}) == build.fresh(plan, {"REFRESH": ""}) == []


def test_the_targets_of_bases_are_known_by_their_context() -> None:
    """The default is the folder itself, as in the real bake file."""
    text = (ROOT / "docker-bake.hcl").read_text()
    base = text.partition('target "_base" {')[2].partition("\n}")[0]
    assert f'context  = "{build.CONTEXT}"' in base


def test_another_refresh_is_refused_before_anything_is_built(
    engine: FakeEngine, bake: Bake
) -> None:
    with pytest.raises(SutraError) as caught:
        build.build(engine, ["prod"], {"REFRESH": "all"})
    assert (caught.value.message, caught.value.tip) == (
        'REFRESH: unknown "all"',
        "REFRESH=bases, or leave it out",
    )
    assert bake.builds == []
