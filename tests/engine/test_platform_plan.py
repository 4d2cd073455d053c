"""The plan of another platform: what is built on it, and what on the builder's own."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.catalog import catalog
from scripts.engine import buildx

GROUPS = ("prod", "test")
ROOTS = {"ROOT": "debian:trixie-slim@sha256:own", "PLATFORM_ROOT": "debian:trixie-slim@sha256:arm"}
CONTEXTS = {"ROOT_CONTEXT": "oci-layout://own", "PLATFORM_ROOT_CONTEXT": "oci-layout://arm"}


@pytest.fixture(scope="module")
def targets() -> dict[str, Any]:
    knobs = {"PLATFORM": "linux/arm64", **ROOTS, **CONTEXTS}
    return dict(buildx.bake_plan(GROUPS, knobs)["target"])


def test_the_default_plan_names_no_platform() -> None:
    plan = buildx.bake_plan(GROUPS, {"ROOT": ROOTS["ROOT"], "ROOT_CONTEXT": "oci-layout://own"})
    text = repr(plan)
    assert "platforms" not in text
    assert "CROSS" not in text
    assert "::" not in text


def test_builders_run_on_their_own_platform(targets: dict[str, Any]) -> None:
    own = {name for name, target in targets.items() if not target.get("platforms")}
    assert own == {"python-builder", "rust-builder"}
    assert {targets[name]["args"]["CROSS"] for name in own} == {"arm64"}
    named = {tuple(target["platforms"]) for name, target in targets.items() if name not in own}
    assert named == {("linux/arm64",)}


def test_a_node_of_the_platform_compiles_there() -> None:
    """buildx links no targets that are built on different nodes."""
    knobs = {"PLATFORM": "linux/arm64", "PLATFORM_NATIVE": "1", **ROOTS, **CONTEXTS}
    baked = buildx.bake_plan(GROUPS, knobs)["target"]
    assert {tuple(target["platforms"]) for target in baked.values()} == {("linux/arm64",)}
    assert not [name for name, target in baked.items() if "CROSS" in target.get("args", {})]
    roots = {target["labels"]["org.sutra.root"] for target in baked.values()}
    assert roots == {ROOTS["PLATFORM_ROOT"]}


def test_each_base_has_the_root_of_its_platform(targets: dict[str, Any]) -> None:
    assert targets["python-runtime"]["contexts"] == {
        "debian:trixie-slim": "oci-layout://own",
        "debian:trixie-slim::linux/arm64": "oci-layout://arm",
    }


@pytest.mark.parametrize(
    ("name", "root"),
    [
        ("sutra-base-python", "ROOT"),
        ("sutra-api", "ROOT"),
        ("sutra-base-rust-runtime", "ROOT"),
        ("sutra-storage-server", "ROOT"),
    ],
)
def test_an_image_names_the_root_that_it_was_made_on(
    targets: dict[str, Any], name: str, root: str
) -> None:
    assert targets[name]["labels"]["org.sutra.root"] == ROOTS[root]


def test_every_image_has_a_budget_for_arm64() -> None:
    """Those of amd64 would let it grow: libraries are of other sizes there."""
    promises = catalog.load(architectures=("arm64",))
    (release,) = promises.releases
    assert {image.budget.key for image in promises.images} == {"budget.arm64"}
    assert release.budget.key == "budget.arm64"
