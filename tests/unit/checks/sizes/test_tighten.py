from __future__ import annotations

from pathlib import Path

import pytest

from scripts.__main__ import main as front_door
from scripts.catalog import catalog
from scripts.catalog.budget import Budget
from scripts.checks.sizes import budgets as limits
from scripts.checks.sizes import tighten
from scripts.checks.sizes.tighten import lowered, rewritten
from scripts.common.errors import SutraError
from scripts.oci.layer import Layer, Measured
from tests.unit.fakes import FakeEngine, FakeImage, tar_of

TEXT = """\
# a comment with installed: 9 MB
release: # shared once
  budget: {installed: 20 MB, download: 10 MB}

images:
  sutra-api: # why
    budget: {installed: 10 MB,   download: "5MB"} # odd, but kept
  sutra-hybrid:
    budget:
      installed: 9.5 MiB
      download: 4 MB # last
"""


def measured(installed: int, download: int) -> Measured:
    return Measured("x", (Layer(f"sha256:{installed}", "", installed, download),))


def changes(api: Measured, hybrid: Measured) -> list[tighten.Lowered]:
    sizes = {"sutra-api": api, "sutra-hybrid": hybrid}
    return lowered(catalog.parse(Path("images.yaml"), TEXT), sizes)


def test_budgets_go_down_to_what_is_measured_plus_two_percent() -> None:
    lowered_budgets = changes(measured(5_000_000, 4_902_000), measured(9_900_000, 2_000_000))
    assert [str(change) for change in lowered_budgets] == [
        "images.sutra-api.budget.installed: 10.0 MB → 5.1 MB",
        "images.sutra-hybrid.budget.download: 4.0 MB → 2.1 MB",
        "release.budget.installed: 20.0 MB → 15.2 MB",
        "release.budget.download: 10.0 MB → 7.1 MB",
    ]


def test_a_bases_sizes_go_down_where_it_is_what_was_measured() -> None:
    text = TEXT.replace('"5MB"}', '"5MB", alpine: {installed: 12 MB, download: 6 MB}}')
    promises = catalog.parse(Path("images.yaml"), text, "alpine")
    api, hybrid = measured(11_000_000, 5_000_000), measured(9_900_000, 4_000_000)
    lowered_budgets = lowered(promises, {"sutra-api": api, "sutra-hybrid": hybrid})
    assert [str(change) for change in lowered_budgets if "sutra-api" in str(change)] == [
        "images.sutra-api.budget.alpine.installed: 12.0 MB → 11.3 MB",
        "images.sutra-api.budget.alpine.download: 6.0 MB → 5.1 MB",
    ]
    changed = rewritten(text, tighten.settled(text, promises, lowered_budgets))
    assert "alpine: {installed: 11.3 MB, download: 5.1 MB}}" in changed
    assert 'installed: 10 MB,   download: "5MB"' in changed


def test_every_other_byte_of_the_file_stays() -> None:
    lowered_budgets = changes(measured(5_000_000, 1_000_000), measured(1_000_000, 2_000_000))
    assert rewritten(TEXT, lowered_budgets) == (
        TEXT.replace("installed: 20 MB, download: 10 MB", "installed: 6.2 MB, download: 3.1 MB")
        .replace('installed: 10 MB,   download: "5MB"', "installed: 5.1 MB,   download: 1.1 MB")
        .replace("9.5 MiB", "1.1 MB")
        .replace("4 MB # last", "2.1 MB # last")
    )


@pytest.mark.parametrize(
    ("actual", "budget"),
    [
        # 102 % is a tenth of a megabyte exactly, and a byte more
        (5_000_000, "5.1 MB"),
        (5_000_001, "5.2 MB"),
        # the next tenth is the budget itself, or above it
        (9_705_883, None),
        (9_800_000, None),
        (10_000_000, None),
        (11_000_000, None),
        (9_705_882, "9.9 MB"),
        (0, "0.0 MB"),
    ],
)
def test_the_exact_boundary(actual: int, budget: str | None) -> None:
    pair = measured(actual, 5_000_000), measured(9_900_000, 4_000_000)
    lines = [str(change) for change in changes(*pair)]
    line = f"images.sutra-api.budget.installed: 10.0 MB → {budget}"
    assert [change for change in lines if "sutra-api" in change] == ([line] if budget else [])


def test_a_budget_is_never_raised() -> None:
    assert changes(measured(50_000_000, 50_000_000), measured(60_000_000, 60_000_000)) == []


SHARED = """\
release: {budget: {installed: 20 MB, download: 10 MB}}
images:
  one: {budget: &both {installed: 10 MB, download: 1000 kB}} # installed: 10 MB
  two: {budget: *both}
  three:
    budget:
      <<: *both
      download: 2 MB
  four: {budget: {<<: [{installed: 9 MB}, *both], because: it is}}
"""


def shared(sizes: dict[str, tuple[int, int]]) -> tuple[list[str], str]:
    promises = catalog.parse(Path("images.yaml"), SHARED)
    by_name = {name: measured(*size) for name, size in sizes.items()}
    changes = tighten.settled(SHARED, promises, lowered(promises, by_name))
    return [str(change) for change in changes], rewritten(SHARED, changes)


def test_a_shared_budget_goes_down_to_what_the_largest_needs() -> None:
    kb = 100_000
    sizes = {"one": (40 * kb, kb), "two": (50 * kb, 9 * kb), "three": (30 * kb, kb)}
    lines, text = shared({**sizes, "four": (90 * kb, 2 * kb)})
    assert lines == [
        "images.one.budget.installed: 10.0 MB → 5.1 MB",
        "images.two.budget.installed: 10.0 MB → 5.1 MB",
        "images.three.budget.installed: 10.0 MB → 5.1 MB",
        "images.three.budget.download: 2.0 MB → 0.2 MB",
        "release.budget.download: 10.0 MB → 1.4 MB",
    ]
    assert text == (
        SHARED.replace("{installed: 10 MB, download: 1000", "{installed: 5.1 MB, download: 1000")
        .replace("download: 2 MB", "download: 0.2 MB")
        .replace("download: 10 MB", "download: 1.4 MB")
    )
    assert catalog.parse(Path("images.yaml"), text).find("three").budget == Budget(
        5_100_000, 200_000
    )


def test_a_shared_budget_that_one_needs_whole_stays() -> None:
    sizes = {"one": (9_900_000, 1_000_000), "two": (1, 1), "three": (1, 2_000_000)}
    assert shared({**sizes, "four": (10_000_000, 7_000_000)}) == ([], SHARED)


CATALOG = """\
release: {budget: {installed: 5 MB, download: 5 MB}} # kept
images:
  sutra-api: {budget: {installed: 3 MB, download: 0.1 MB}}
"""


@pytest.mark.parametrize("dry_run", [True, False])
def test_main_lowers_or_only_shows(
    engine: FakeEngine,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    dry_run: bool,
) -> None:
    (folder / "images.yaml").write_text(CATALOG)
    engine.add(FakeImage([tar_of({"a": b"\0" * 1_000_000})]), "sutra-api:prod")
    monkeypatch.setattr("scripts.engine.client.connect", lambda: engine)
    assert front_door(["budgets", *(["--dry-run"] if dry_run else [])]) == 0
    verb = "would lower" if dry_run else "lowered"
    assert capfd.readouterr() == (
        "",
        f"{verb} images.sutra-api.budget.installed: 3.0 MB → 1.1 MB\n"
        f"{verb} release.budget.installed: 5.0 MB → 1.1 MB\n"
        f"{verb} release.budget.download: 5.0 MB → 0.1 MB\n",
    )
    after = CATALOG.replace(
        "installed: 5 MB, download: 5 MB", "installed: 1.1 MB, download: 0.1 MB"
    )
    after = after.replace("3 MB", "1.1 MB")
    assert (folder / "images.yaml").read_text() == (CATALOG if dry_run else after)
    assert [file.name for file in folder.iterdir() if file.suffix == ".partial"] == []
    if not dry_run:
        assert front_door(["budgets"]) == 0
        assert capfd.readouterr().err == "no budget is more than 2 % above what is measured\n"


# ---- reasons and knobs ------------------------------------------------------

WITH_REASON = CATALOG.replace("0.1 MB}", "0.1 MB, because: a model came}")


def test_a_reason_is_printed_beside_a_check_that_passes() -> None:
    promises = catalog.parse(Path("images.yaml"), WITH_REASON)
    results = limits.verify(promises, {"sutra-api": measured(1, 1)})
    assert [result.detail for result in results if result.image == "sutra-api"] == [
        "images.yaml: images.sutra-api.budget.installed: because a model came",
        "images.yaml: images.sutra-api.budget.download: because a model came",
    ]
    assert all(result.ok for result in results)


def test_a_reason_that_is_empty_is_refused() -> None:
    with pytest.raises(SutraError) as caught:
        catalog.parse(Path("images.yaml"), WITH_REASON.replace("a model came", '" "'))
    assert caught.value.message == 'images.yaml: images.sutra-api.budget.because: not a text " "'


@pytest.mark.parametrize(("value", "dry"), [("1", True), ("0", False)])
def test_the_knob_says_whether_it_only_shows(
    engine: FakeEngine,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    value: str,
    dry: bool,
) -> None:
    (folder / "images.yaml").write_text(CATALOG)
    engine.add(FakeImage([tar_of({"a": b"\0" * 1_000_000})]), "sutra-api:prod")
    monkeypatch.setattr("scripts.engine.client.connect", lambda: engine)
    monkeypatch.setenv("DRY_RUN", value)
    assert front_door(["budgets"]) == 0
    assert ((folder / "images.yaml").read_text() == CATALOG) is dry


def test_a_knob_that_says_neither_lowers_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRY_RUN", "maybe")
    with pytest.raises(SutraError, match=r'^DRY_RUN: neither yes nor no "maybe"$'):
        front_door(["budgets"])


PLATFORMS = TEXT.replace('"5MB"}', '"5MB", arm64: {installed: 8 MB, download: 4 MB}}').replace(
    "download: 10 MB}", "download: 10 MB, arm64: {installed: 30 MB, download: 9 MB}}", 1
)


@pytest.mark.usefixtures("amd64")
def test_each_platform_is_held_against_its_own_budget() -> None:
    """The hybrid has no sizes of its own for arm64: its budget is not lowered by those."""
    promises = catalog.parse(Path("images.yaml"), PLATFORMS, architectures=("", "arm64"))
    sizes = {
        "sutra-api": measured(10_000_000, 5_000_000),
        "sutra-hybrid": measured(9_900_000, 4_000_000),
        "arm64/sutra-api": measured(4_000_000, 3_900_000),
        "arm64/sutra-hybrid": measured(1_000_000, 1_000_000),
    }
    changes = lowered(promises, sizes)
    assert [str(change) for change in changes] == [
        "images.sutra-api.budget.arm64.installed: 8.0 MB → 4.1 MB",
        "release.budget.download: 10.0 MB → 9.2 MB",
        "release.budget.arm64.installed: 30.0 MB → 5.1 MB",
        "release.budget.arm64.download: 9.0 MB → 5.0 MB",
    ]
    changed = rewritten(PLATFORMS, tighten.settled(PLATFORMS, promises, changes))
    assert "arm64: {installed: 4.1 MB, download: 4 MB}" in changed
    assert "arm64: {installed: 5.1 MB, download: 5.0 MB}" in changed


@pytest.mark.usefixtures("amd64")
@pytest.mark.parametrize(("size", "ok"), [(8_000_000, True), (8_000_001, False)])
def test_a_platform_is_exactly_within_its_budget(size: int, ok: bool) -> None:
    promises = catalog.parse(Path("images.yaml"), PLATFORMS, architectures=("arm64",))
    sizes = {
        "arm64/sutra-api": measured(size, 4_000_000),
        "arm64/sutra-hybrid": measured(9_961_472, 4_000_001),
    }
    results = limits.verify(promises, sizes)
    assert [(result.image, result.name, result.ok, result.limit) for result in results] == [
        ("arm64/sutra-api", "installed", ok, 8_000_000),
        ("arm64/sutra-api", "download", True, 4_000_000),
        ("arm64/sutra-hybrid", "installed", True, 9_961_472),
        ("arm64/sutra-hybrid", "download", False, 4_000_000),
        ("arm64/release", "installed", True, 30_000_000),
        ("arm64/release", "download", True, 9_000_000),
    ]
    assert [result.detail for result in results if not result.ok][-1] == (
        "images.yaml: images.sutra-hybrid.budget.download: "
        'over budget "4.0 MB", 4.0 MB allowed (+1 bytes)'
    )
    assert results[0].key == "images.sutra-api.budget.arm64.installed"
    assert results[4].key == "release.budget.arm64.installed"
