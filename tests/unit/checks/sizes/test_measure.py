from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.__main__ import main as front_door
from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.checks.sizes.budgets import check, verify
from scripts.checks.sizes.measure import measure_all, measure_one
from scripts.common.check_result import CheckResult
from scripts.common.errors import SutraError
from scripts.oci.layer import Layer, Measured
from tests.support.results import flat
from tests.unit.fakes import FakeEngine, FakeImage, tar_of

ROOT = Path(__file__).resolve().parents[4]
API = Image("sutra-api", Budget(50_000_000, 20_000_000))
HYBRID = Image("sutra-hybrid", Budget(207_000_000, 75_000_000))
PROMISES = Catalog(Path("images.yaml"), (API, HYBRID), Budget(229_000_000, 84_000_000))

UNCOMPARED = "images.yaml: budgets: not compared with earlier ones, no commit\n"


def layer(name: str, installed: int, download: int) -> Layer:
    return Layer(f"sha256:{name}", f"sha256:{name}", installed, download)


SHARED = layer("base", 40_000_000, 10_000_000)
MEASURED = {
    "sutra-api": Measured("sha256:a", (SHARED, layer("api", 10_000_000, 10_000_000))),
    "sutra-hybrid": Measured("sha256:h", (SHARED, layer("hybrid", 167_000_000, 65_000_000))),
}


def silent(image: Image | None, what: str) -> str:
    return ""


def test_a_size_equal_to_its_budget_is_within_it() -> None:
    assert flat(check(Image("a", Budget(50, 20)), 50, 20, PROMISES, silent)) == [
        CheckResult("a", "installed", True, 50, 50, ""),
        CheckResult("a", "download", True, 20, 20, ""),
    ]


def test_one_byte_more_is_over() -> None:
    image = Image("a", Budget(50_000_000, 20_000_000))
    assert flat(check(image, 50_000_001, 20_000_001, PROMISES, silent)) == [
        CheckResult(
            "a",
            "installed",
            False,
            50_000_001,
            50_000_000,
            'images.yaml: images.a.budget.installed: over budget "50.0 MB", '
            "50.0 MB allowed (+1 bytes)",
        ),
        CheckResult(
            "a",
            "download",
            False,
            20_000_001,
            20_000_000,
            'images.yaml: images.a.budget.download: over budget "20.0 MB", '
            "20.0 MB allowed (+1 bytes)",
        ),
    ]


def test_each_size_is_checked_by_itself() -> None:
    results = check(Image("a", Budget(50_000_000, 20)), 51_300_000, 20, PROMISES, silent)
    assert [result.ok for result in results] == [False, True]
    assert results[0].detail == (
        'images.yaml: images.a.budget.installed: over budget "51.3 MB", 50.0 MB allowed (+1.3 MB)'
    )


def test_every_image_and_the_release_are_checked() -> None:
    assert flat(verify(PROMISES, MEASURED)) == [
        CheckResult("sutra-api", "installed", True, 50_000_000, 50_000_000),
        CheckResult("sutra-api", "download", True, 20_000_000, 20_000_000),
        CheckResult("sutra-hybrid", "installed", True, 207_000_000, 207_000_000),
        CheckResult("sutra-hybrid", "download", True, 75_000_000, 75_000_000),
        CheckResult("release", "installed", True, 217_000_000, 229_000_000),
        CheckResult(
            "release",
            "download",
            False,
            85_000_000,
            84_000_000,
            'images.yaml: release.budget.download: over budget "85.0 MB", '
            "84.0 MB allowed (+1.0 MB)",
        ),
    ]


def test_the_release_alone_can_be_over_by_one_byte() -> None:
    promises = Catalog(Path("images.yaml"), (API, HYBRID), Budget(216_999_999, 85_000_000))
    assert [(result.image, result.name, result.ok) for result in verify(promises, MEASURED)] == [
        ("sutra-api", "installed", True),
        ("sutra-api", "download", True),
        ("sutra-hybrid", "installed", True),
        ("sutra-hybrid", "download", True),
        ("release", "installed", False),
        ("release", "download", True),
    ]


def test_the_release_is_not_checked_when_only_some_were_measured() -> None:
    only = {"sutra-hybrid": MEASURED["sutra-hybrid"]}
    assert [result.image for result in verify(PROMISES, only)] == ["sutra-hybrid"] * 2


def test_nothing_measured_checks_nothing() -> None:
    assert verify(PROMISES, {}) == []


def test_an_image_that_is_empty_is_still_checked() -> None:
    results = verify(PROMISES, {"sutra-api": Measured("sha256:e", ())})
    assert [(result.actual, result.ok) for result in results] == [(0, True), (0, True)]


def test_an_image_that_is_not_built_is_refused(engine: FakeEngine, tmp_path: Path) -> None:
    engine.add(FakeImage([tar_of({"a": b"1"})]), "sutra-api:prod")
    with pytest.raises(SutraError) as caught:
        measure_all(engine, PROMISES, tmp_path)
    assert caught.value.message == 'images.yaml: images.sutra-hybrid: not built "sutra-hybrid:prod"'
    assert caught.value.tip == "run `make build`"


def test_any_reference_is_measured_by_the_rules_of_an_entry(
    engine: FakeEngine, tmp_path: Path
) -> None:
    identity = engine.add(FakeImage([tar_of({"a": b"12345"})]), "mine:test")
    measured = measure_one(engine, PROMISES, API, "mine:test", tmp_path)
    assert (measured.id, measured.installed) == (identity, 5)
    with pytest.raises(SutraError) as caught:
        measure_one(engine, PROMISES, API, "other:test", tmp_path)
    assert caught.value.message == 'images.yaml: images.sutra-api: not built "other:test"'


def test_all_images_are_measured_by_name(engine: FakeEngine, tmp_path: Path) -> None:
    api = engine.add(FakeImage([tar_of({"a": b"1"})]), "sutra-api:prod")
    hybrid = engine.add(FakeImage([tar_of({"a": b"22"})]), "sutra-hybrid:prod")
    sizes = measure_all(engine, PROMISES, tmp_path)
    assert {name: (image.id, image.installed) for name, image in sizes.items()} == {
        "sutra-api": (api, 1),
        "sutra-hybrid": (hybrid, 2),
    }


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["x:y"], "a reference and --as NAME go together"),
        (["--as", "sutra-api"], "a reference and --as NAME go together"),
        (
            ["--format", "xml"],
            "argument --format: invalid choice: xml "
            "(choose from table, markdown, json, junit, github)",
        ),
        (["a", "b"], "unrecognized arguments: b"),
    ],
)
def test_a_wrong_call_exits_with_2(words: list[str], problem: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts", "verify-sizes", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert lines[0].startswith("usage: python -m scripts verify-sizes ")
    # versions of Python quote choices differently
    assert lines[-1].replace("'", "") == f"python -m scripts verify-sizes: error: {problem}"


# ---- main, on an engine in memory ------------------------------------------

CATALOG = """\
release: {budget: {installed: 9 B, download: 1 MB}}
images:
  sutra-api: {budget: {installed: 5 B, download: 1 MB}}
  sutra-hybrid: {budget: {installed: 5 B, download: 1 MB}}
"""


@pytest.fixture
def main_engine(engine: FakeEngine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    monkeypatch.setenv("PATH", "")  # this machine's `docker` is not found
    monkeypatch.setattr("scripts.engine.client.connect", lambda: engine)
    (folder / "images.yaml").write_text(CATALOG)
    return engine


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    return front_door(["verify-sizes", *words])


def test_main_says_ok_when_all_is_within(
    main_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shared = tar_of({"a": b"1234"})
    main_engine.add(FakeImage([shared, tar_of({"b": b"1"})]), "sutra-api:prod")
    main_engine.add(FakeImage([shared, tar_of({"c": b"1"})]), "sutra-hybrid:prod")
    assert call(monkeypatch, "--format", "markdown") == 0
    assert capfd.readouterr() == (
        "| image | installed | budget | download | budget | ok |\n"
        "|---|--:|--:|--:|--:|---|\n"
        "| sutra-api | 0.0 MB | 0.0 MB | 0.0 MB | 1.0 MB | ok |\n"
        "| sutra-hybrid | 0.0 MB | 0.0 MB | 0.0 MB | 1.0 MB | ok |\n"
        "| release (shared layers once) | 0.0 MB | 0.0 MB | 0.0 MB | 1.0 MB | ok |\n",
        UNCOMPARED,
    )


def test_main_says_which_budget_fails(
    main_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    main_engine.add(FakeImage([tar_of({"b": b"123456"})]), "mine:test")
    assert call(monkeypatch, "--format", "markdown", "mine:test", "--as", "sutra-api") == 1
    assert capfd.readouterr() == (
        "| image | installed | budget | download | budget | ok |\n"
        "|---|--:|--:|--:|--:|---|\n"
        "| sutra-api | 0.0 MB | 0.0 MB | 0.0 MB | 1.0 MB | OVER |\n",
        UNCOMPARED + 'images.yaml: images.sutra-api.budget.installed: over budget "0.0 MB", '
        "0.0 MB allowed (+1 bytes): no promoted image to compare with\n",
    )


def test_main_refuses_an_unknown_entry(
    main_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SutraError) as caught:
        call(monkeypatch, "mine:test", "--as", "sutra-ap")
    assert caught.value.message == (
        'images.yaml: images: no such image "sutra-ap", did you mean "sutra-api"?'
    )
