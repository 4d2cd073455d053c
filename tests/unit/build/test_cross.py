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
    ("files", "platforms", "runs"),
    [
        (("python-prod.Dockerfile",), ("linux/arm64",), True),
        (("rust-runtime-prod.Dockerfile",), ("linux/arm64",), False),
        (("rust-runtime-prod.Dockerfile", "python-dev.Dockerfile"), ("linux/arm64",), True),
        (("rust-dev.Dockerfile",), (), False),
        (("gone.Dockerfile",), ("linux/arm64",), False),
    ],
)
def test_the_bases_of_static_servers_run_no_program_of_their_platform(
    files: tuple[str, ...], platforms: tuple[str, ...], runs: bool
) -> None:
    assert cross.runs_programs(plan(*files, platforms=platforms), ROOT_IMAGE, ROOT) == runs


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
        (OWN, "python-prod.Dockerfile"),
        (FARM, "python-prod.Dockerfile"),
        # which is only unpacked: on a node of the platform, by that node's own apt
        (FARM_OF_BOTH, "rust-runtime-prod.Dockerfile"),
    ],
)
def test_a_bootstrapped_root_of_the_platform_reaches_the_build(
    engine: FakeEngine, folder: Path, monkeypatch: pytest.MonkeyPatch, builder: Builder, file: str
) -> None:
    monkeypatch.setattr(emulator, "runs", lambda architecture: builder is OWN)
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
