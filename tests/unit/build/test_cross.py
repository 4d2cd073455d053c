from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts.build import cross
from scripts.common.errors import SutraError
from scripts.engine import emulator
from scripts.engine.builder_nodes import Node
from scripts.engine.builders import OWN, Builder
from tests.conftest import ROOT
from tests.unit.fakes import FakeEngine

ROOT_IMAGE = "debian:trixie-slim"
NODE = Node("farm0", "tcp://127.0.0.1:7770", "running", ("linux/amd64",))
ARM_NODE = Node("farm1", "tcp://127.0.0.1:7771", "running", ("linux/arm64",), ("linux/arm64",))
FARM = Builder("farm", "remote", (NODE,))
FARM_OF_BOTH = Builder("farm", "remote", (NODE, ARM_NODE))


def target(folder: str, dockerfile: str, platforms: list[str]) -> dict[str, Any]:
    args = {"BASE": "debian", "DEBIAN_VERSION": "trixie-slim"}
    return {"context": folder, "dockerfile": dockerfile, "platforms": platforms, "args": args}


def plan(*files: str, platforms: tuple[str, ...] = ("linux/arm64",)) -> dict[str, Any]:
    targets = {file: target("base-images", file, list(platforms)) for file in files}
    return {"target": targets}


@pytest.mark.parametrize(
    ("files", "platforms", "begins"),
    [
        (("node-prod.Dockerfile",), ("linux/arm64",), True),
        (("python-prod.Dockerfile",), ("linux/arm64",), False),
        (("rust-runtime-prod.Dockerfile",), ("linux/arm64",), False),
        (("rust-runtime-prod.Dockerfile", "node-dev.Dockerfile"), ("linux/arm64",), True),
        (("python-dev.Dockerfile", "rust-dev.Dockerfile"), (), False),
        (("gone.Dockerfile",), ("linux/arm64",), False),
    ],
)
def test_the_bases_of_python_and_of_static_servers_begin_with_no_root_of_their_platform(
    files: tuple[str, ...], platforms: tuple[str, ...], begins: bool
) -> None:
    assert cross.begins_with_root(plan(*files, platforms=platforms), ROOT_IMAGE, ROOT) == begins


@pytest.mark.parametrize(
    ("file", "runs"),
    [
        ("base-images/python-prod.Dockerfile", True),
        ("base-images/node-prod.Dockerfile", True),
        ("base-images/rust-runtime-prod.Dockerfile", False),
        ("packages/sutra-api/Dockerfile.prod", True),
        ("packages/sutra-hybrid/Dockerfile.prod", True),
        ("packages/sutra-storage/Dockerfile.prod", False),
        ("samples/go/Dockerfile.prod", False),
        ("samples/rust/Dockerfile.prod", False),
        ("samples/python/Dockerfile.prod", True),
        ("samples/node/Dockerfile.prod", True),
    ],
)
def test_only_python_and_nodejs_run_programs_of_their_platform(file: str, runs: bool) -> None:
    planned = {"target": {"a": target(".", file, ["linux/arm64"])}}
    assert cross.runs_programs(planned, ROOT) == runs
    planned = {"target": {"a": target(".", file, [])}}
    assert not cross.runs_programs(planned, ROOT)


def test_where_nothing_runs_neither_a_root_nor_an_emulator_is_needed(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(emulator, "runs", lambda architecture: False)
    planned = plan("rust-runtime-prod.Dockerfile")
    assert cross.root_variable(engine, planned, OWN, "arm64") == {}
    assert cross.root_variable(engine, planned, FARM, "arm64") == {}
    assert cross.root_variable(engine, {"target": {}}, OWN, "arm64") == {}
    assert cross.root_variable(engine, {"target": {}}, FARM_OF_BOTH, "arm64") == {}


def test_without_an_emulator_the_engines_own_builder_is_not_asked(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(emulator, "runs", lambda architecture: False)
    with pytest.raises(SutraError) as caught:
        cross.root_variable(engine, plan("python-prod.Dockerfile"), OWN, "arm64")
    assert (caught.value.message, caught.value.tip) == (
        'PLATFORMS: no emulator for "linux/arm64"',
        emulator.TIP,
    )


@pytest.mark.parametrize(
    ("builder", "file"),
    [
        (OWN, "node-prod.Dockerfile"),
        (FARM, "node-prod.Dockerfile"),
        # which is only unpacked: on a node of the platform, by that node's own apt
        (FARM_OF_BOTH, "rust-runtime-prod.Dockerfile"),
    ],
)
def test_a_bootstrapped_root_of_the_platform_reaches_the_build(
    engine: FakeEngine, folder: Path, monkeypatch: pytest.MonkeyPatch, builder: Builder, file: str
) -> None:
    monkeypatch.setattr(emulator, "runs", lambda architecture: builder is OWN)
    monkeypatch.setattr(emulator, "runs_in_containers", lambda architecture: True)
    monkeypatch.setattr("scripts.engine.client.has_containerd_store", lambda client: True)
    digest = "sha256:" + "d" * 64
    layout = folder / ".cache/roots/debian-trixie-slim-arm64"
    layout.mkdir(parents=True)
    (layout / "index.json").write_text(f'{{"manifests": [{{"digest": "{digest}"}}]}}')
    (folder / "base-images").mkdir()
    (folder / "base-images" / file).write_text((ROOT / "base-images" / file).read_text())
    variables = cross.root_variable(engine, plan(file), builder, "arm64")
    assert variables == {
        "PLATFORM_ROOT_CONTEXT": f"oci-layout://{layout}:trixie-slim",
        "PLATFORM_ROOT": f"{ROOT_IMAGE}@{digest}",
    }


def test_development_images_are_for_this_machine() -> None:
    cross.refuse_development(["sutra-api", "developer"])  # raises nothing
    with pytest.raises(SutraError) as caught:
        cross.refuse_development(["sutra-api", "sutra-api-dev"])
    assert (caught.value.message, caught.value.tip) == (
        'PLATFORMS: development images are built for this machine alone "sutra-api-dev"',
        "leave PLATFORMS out",
    )
