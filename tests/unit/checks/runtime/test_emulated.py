from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.checks.runtime import emulated, service, verify
from scripts.common.check_result import CheckResult
from scripts.engine import emulator, sandbox
from scripts.engine.health import Probe
from tests.unit.fakes import FakeEngine, FakeImage

BUDGET = Budget(1, 1, ready=500, memory=9, start_cpu=8, ready_at_quarter=7, fresh=6)
API = Image("arm64/api", BUDGET, architecture="arm64")
PROMISES = Catalog(Path("images.yaml"), (API,), Budget(1, 1))


def test_an_image_without_an_emulator_is_reported_and_not_started(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator, "runs", lambda architecture: False)
    engine.add(FakeImage([]), "arm64/api:prod")
    assert verify.verify_one(engine, PROMISES, API, "arm64/api:prod") == [
        CheckResult(
            "arm64/api",
            "runtime",
            True,
            None,
            0,
            "not run: this machine has no emulator for linux/arm64",
            "findings",
            file="images.yaml",
            key="images.api",
        )
    ]


@pytest.mark.parametrize(
    ("architecture", "address", "runs", "why"),
    [
        ("", "http+docker://localunixsocket", False, ""),
        ("arm64", "http+docker://localunixsocket", True, ""),
        ("arm64", "http://build.example:2375", False, ""),
        (
            "arm64",
            "http+docker://localunixsocket",
            False,
            "this machine has no emulator for linux/arm64",
        ),
    ],
)
def test_only_another_platform_on_this_machine_needs_an_emulator(
    engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    architecture: str,
    address: str,
    runs: bool,
    why: str,
) -> None:
    monkeypatch.setattr(emulator, "runs", lambda architecture: runs)
    engine.base_url = address
    assert emulated.not_run(engine, architecture) == why


def test_an_emulated_health_check_may_take_ten_times_as_long() -> None:
    inspected = {"Config": {"Healthcheck": {"Test": ["CMD", "ask"], "Timeout": 3_000_000_000}}}
    assert service.probe_of(API, inspected) == Probe(("ask",), 30)
    assert service.probe_of(replace(API, architecture=""), inspected) == Probe(("ask",), 3)


@pytest.mark.parametrize(
    ("architecture", "seconds", "suffix"),
    [
        ("", 120, ""),
        ("arm64", 1200, ", under the emulator for linux/arm64"),
    ],
)
def test_modules_have_ten_times_as_long_and_what_does_not_load_says_where(
    engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    architecture: str,
    seconds: int,
    suffix: str,
) -> None:
    waited = []

    def run(client: object, setup: object, limit: float) -> tuple[int | None, str]:
        waited.append(limit)
        return None, ""

    monkeypatch.setattr(emulator, "runs", lambda architecture: True)
    monkeypatch.setattr(verify, "_promised", lambda name: ("app",))
    monkeypatch.setattr(sandbox, "run", run)
    monkeypatch.setattr(service, "verify", lambda *_: [])
    engine.add(FakeImage([]), "api:prod")
    image = replace(API, name="api", architecture=architecture)
    (result,) = verify.verify_one(engine, PROMISES, image, "api:prod")
    assert waited == [seconds]
    assert result.detail == (
        f'images.yaml: images.api: modules do not load "" (not in {seconds} s){suffix}'
    )


def test_a_result_without_a_problem_names_no_platform() -> None:
    result = CheckResult("arm64/api", "ready", True, 1, 2)
    assert emulated.with_platform(API, result) == result


def test_an_emulated_start_is_held_against_ten_times_its_budget_and_no_memory() -> None:
    assert emulated.slowed(API).budget == Budget(1, 1, ready=5000, fresh=6)
    own = replace(API, name="api", architecture="")
    assert emulated.slowed(own) == own
    base = replace(API, budget=Budget(1, 1))
    assert emulated.slowed(base) == base
