from __future__ import annotations

from pathlib import Path

import pytest

from scripts.__main__ import main as front_door
from scripts.catalog import catalog, fresh_rates
from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.catalog.fresh_rates import Rates
from scripts.checks import gate
from scripts.checks.sizes.fresh import Node, expected, verify
from scripts.common.check_result import CheckResult
from scripts.common.errors import SutraError
from tests.conftest import ROOT
from tests.support.results import flat
from tests.unit.fakes import FakeEngine, FakeImage, tar_of

RATES = Rates(pull=10_000_000, unpack=100_000_000)
# 2 s to pull, 0.4 s to unpack
SIZES = [
    CheckResult("sutra-api", "installed", True, 40_000_000, 50_000_000),
    CheckResult("sutra-api", "download", True, 20_000_000, 20_000_000),
]
KEY = "images.yaml: images.sutra-api.budget.fresh"


def promises(fresh: int | None, ready: int | None = 5000, base: str = "") -> Catalog:
    budget = Budget(50_000_000, 20_000_000, ready=ready, fresh=fresh, base=base)
    image = Image("sutra-api", budget)
    return Catalog(Path("images.yaml"), (image,), Budget(1, 1), rates=RATES)


def test_the_parts_follow_one_another_and_are_rounded_up() -> None:
    node = expected(40_000_001, 20_000_001, 5000, RATES)
    assert (node, node.total_ms) == (Node(2001, 401, 5000), 7402)
    assert expected(0, 0, 5, RATES) == Node(0, 0, 5)


def test_a_time_equal_to_its_budget_is_within_it() -> None:
    within = CheckResult("sutra-api", "fresh", True, 7400, 7400, "", "ms")
    (result,) = verify(promises(7400), SIZES)
    assert (result.file, result.key) == ("images.yaml", "images.sutra-api.budget.fresh")
    assert flat([result]) == [within]


def test_a_millisecond_more_is_over_and_says_which_part_takes_how_long() -> None:
    (result,) = verify(promises(7399), SIZES)
    assert (result.ok, result.actual, result.limit) == (False, 7400, 7399)
    assert result.detail == (
        f'{KEY}: over budget "7.40 s", 7.40 s allowed (+1 ms): 2.00 s to pull at 10.0 MB/s, '
        "0.40 s to unpack at 100.0 MB/s, 5.00 s to start"
    )


def test_a_root_of_its_own_has_a_key_of_its_own() -> None:
    (result,) = verify(promises(1, base="alpine"), SIZES)
    assert result.key == "images.sutra-api.budget.alpine.fresh"


@pytest.mark.parametrize(
    ("fresh", "results"),
    [
        (None, SIZES),
        (1, SIZES[:1]),
        (1, SIZES[1:]),
        (1, [CheckResult("sutra-hybrid", name, True, 1, 1) for name in ("installed", "download")]),
    ],
)
def test_what_is_not_promised_or_not_measured_is_not_checked(
    fresh: int | None, results: list[CheckResult]
) -> None:
    assert verify(promises(fresh), results) == []


CATALOG = """\
release: {budget: {installed: 9 B, download: 1 MB}}
images:
  sutra-api: {budget: {installed: 9 B, download: 1 MB, ready: 5 s, fresh: 5002 ms}}
"""


@pytest.fixture
def main_engine(engine: FakeEngine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    monkeypatch.setenv("PATH", "")  # this machine's `docker` is not found
    monkeypatch.setattr("scripts.engine.client.connect", lambda: engine)
    (folder / "images.yaml").write_text(CATALOG)
    engine.add(FakeImage([tar_of({"b": b"12"})]), "sutra-api:prod")
    return engine


def test_it_is_a_row_of_its_own_beside_the_sizes(
    main_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PULL_RATE", "1 GB")
    assert front_door(["verify-sizes", "--format", "markdown"]) == 0
    assert "| sutra-api | fresh | 5.00 s | 5.00 s | ok |\n" in capfd.readouterr().out


def test_main_fails_where_a_fresh_node_takes_too_long(
    main_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNPACK_RATE", "100 B")
    assert front_door(["verify-sizes", "--format", "markdown"]) == 1
    out, errors = capfd.readouterr()
    assert "| sutra-api | fresh | 5.02 s | 5.00 s | FAILED |\n" in out
    assert errors.count(KEY) == 1
    assert "0.02 s to unpack at 0.0 MB/s, 5.00 s to start\n" in errors


def test_a_wrong_rate_is_refused_before_anything_is_read(
    main_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PULL_RATE", "fast")
    with pytest.raises(SutraError) as caught:
        front_door(["verify-sizes"])
    assert caught.value.message == 'PULL_RATE: not a size such as "50 MB": "fast"'
    assert capfd.readouterr().out == ""


TIP = 'bytes a second, such as PULL_RATE="12.5 MB"'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0 MB", "less than a byte a second"),
        ("0.9 B", "less than a byte a second"),
        ("-1 MB", 'not a size such as "50 MB":'),
        ("1e3 MB", 'not a size such as "50 MB":'),
        ("１ MB", 'not a size such as "50 MB":'),
        ("9" * 19 + " GB", 'not a size such as "50 MB":'),
        ("100 MB/s", 'not a size such as "50 MB":'),
        ("100 Mb", "bits, or bytes"),
        ("1Gb ", "bits, or bytes"),
        ("800 kb", "bits, or bytes"),
    ],
)
def test_a_rate_that_nobody_meant_is_refused(text: str, problem: str) -> None:
    with pytest.raises(SutraError) as caught:
        fresh_rates.read({"PULL_RATE": text})
    assert caught.value.message == f'PULL_RATE: {problem} "{text}"'
    assert caught.value.tip == TIP


@pytest.mark.parametrize(
    ("text", "rate"), [("1 B", 1), ("12.5 MB", 12_500_000), ("1 mb", 10**6), ("1 MiB", 2**20)]
)
def test_a_rate_is_one_of_bytes(text: str, rate: int) -> None:
    assert fresh_rates.read({"PULL_RATE": text}) == Rates(pull=rate)


def test_promotion_asks_for_it_too(
    engine: FakeEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.checks.contents.verify.verify_one", lambda *_, **__: [])
    monkeypatch.setattr("scripts.checks.contents.verify.private_certificates", frozenset)
    monkeypatch.setattr("scripts.checks.runtime.verify.verify_one", lambda *_: [])
    engine.add(FakeImage([tar_of({"b": b"12"})]), "sutra-api:prod")
    verdict = gate.everything(engine, promises(5000))
    assert [(result.name, result.ok) for result in verdict.results if result.unit == "ms"] == [
        ("fresh", False)
    ]


def test_the_projects_own_budgets_have_room_for_sizes_at_their_budget() -> None:
    for base in ("debian", "alpine"):
        own = catalog.load(ROOT / "images.yaml", {"BASE": base})
        promised = {image.name: image.budget for image in own.images if image.budget.ready}
        assert {name for name, budget in promised.items() if budget.fresh} == set(promised)
        for budget in promised.values():
            assert budget.ready is not None
            assert budget.fresh is not None
            node = expected(budget.installed, budget.download, budget.ready, own.rates)
            assert node.total_ms <= budget.fresh <= 1.5 * node.total_ms
