"""Test the exact messages of the start checks; tests/engine runs them on real containers."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Image
from scripts.checks.runtime import start_cost as checks
from scripts.common.check_result import CheckResult
from scripts.common.errors import EngineError
from scripts.engine import sandbox, start_cost
from scripts.engine.health import Probe
from scripts.engine.sandbox import Setup
from scripts.engine.start_cost import StartCost
from tests.support.results import flat

FILE = "images.yaml"
KEY = "images.yaml: images.api.budget"
API = Image("api", Budget(1, 1, ready=5000, start_cpu=220, ready_at_quarter=1000))
PROBE = Probe(("ask",), 1)
NOTHING: Any = None


def verified(monkeypatch: pytest.MonkeyPatch, *costs: StartCost, image: Image = API) -> Any:
    """Return the checks of starts that cost `costs` in turn."""
    left = iter(costs)
    monkeypatch.setattr(sandbox, "container", lambda client, setup: nullcontext())
    monkeypatch.setattr(start_cost, "measure", lambda *_: next(left))
    results = flat(list(checks.verify(NOTHING, image, Setup("x"), PROBE, FILE)))
    assert next(left, None) is None  # no start was left out
    return results


def test_costs_equal_to_their_budgets_are_within_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert verified(monkeypatch, StartCost(900, 220), StartCost(1000, 240)) == [
        CheckResult("api", "start-cpu", True, 220, 220, "", "ms"),
        CheckResult("api", "ready-at-quarter", True, 1000, 1000, "", "ms"),
    ]


def test_the_lowest_of_three_starts_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = [StartCost(1, 300), StartCost(1, 221), StartCost(1, 250)]
    quarter = [StartCost(2000, 1), StartCost(1500, 1), StartCost(1001, 1)]
    assert verified(monkeypatch, *cpu, *quarter) == [
        CheckResult(
            "api",
            "start-cpu",
            False,
            221,
            220,
            f'{KEY}.start-cpu: over budget "0.22 s", 0.22 s allowed (+1 ms)',
            "ms",
        ),
        CheckResult(
            "api",
            "ready-at-quarter",
            False,
            1001,
            1000,
            f'{KEY}.ready-at-quarter: over budget "1.00 s", 1.00 s allowed (+1 ms)',
            "ms",
        ),
    ]


def test_a_start_within_its_budget_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    results = verified(monkeypatch, StartCost(1, 300), StartCost(1, 200), StartCost(900, 1))
    assert [(result.ok, result.actual) for result in results] == [(True, 200), (True, 900)]


def test_without_a_budget_it_is_only_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image("api", Budget(1, 1, ready=5000))
    assert verified(monkeypatch, StartCost(1, 9000), image=image) == [
        CheckResult("api", "start-cpu", True, 9000, None, "", "ms")
    ]


def test_what_cannot_be_measured_gates_nothing_and_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    why = StartCost(why="the engine is on another machine")
    text = "not measured: the engine is on another machine"
    assert verified(monkeypatch, why, why) == [
        CheckResult("api", "start-cpu", True, None, 220, f"{KEY}.start-cpu: {text}", "ms"),
        CheckResult(
            "api", "ready-at-quarter", True, None, 1000, f"{KEY}.ready-at-quarter: {text}", "ms"
        ),
    ]


def test_a_service_that_fails_fails_both(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = StartCost(problem='ended with "1"')
    results = verified(monkeypatch, wrong, wrong)
    assert [(result.ok, result.detail) for result in results] == [
        (False, f'{KEY}.start-cpu: ended with "1"'),
        (False, f'{KEY}.ready-at-quarter: ended with "1"'),
    ]


def test_a_kernel_that_limits_no_processor_time(monkeypatch: pytest.MonkeyPatch) -> None:
    words = "cannot create a container: NanoCPUs can not be set, as your kernel has no CFS"

    def container(client: object, setup: Setup) -> Any:
        if setup.cpus:
            raise EngineError(words)
        return nullcontext()

    monkeypatch.setattr(sandbox, "container", container)
    monkeypatch.setattr(start_cost, "measure", lambda *_: StartCost(1, 1))
    results = flat(list(checks.verify(NOTHING, API, Setup("x"), PROBE, FILE)))
    assert [result.detail for result in results] == [
        "",
        f"{KEY}.ready-at-quarter: not measured: {words}",
    ]


def test_an_engine_that_fails_is_not_a_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    def container(client: object, setup: Setup) -> Any:
        raise EngineError("no answer")

    monkeypatch.setattr(sandbox, "container", container)
    with pytest.raises(EngineError, match="no answer"):
        list(checks.verify(NOTHING, API, Setup("x"), PROBE, FILE))


# ---- measuring --------------------------------------------------------------


def client_of(address: str = "http+docker://localhost", stats: object = None) -> Any:
    api = SimpleNamespace(base_url=address, stats=lambda identity, **_: stats)
    return SimpleNamespace(api=api)


def box(ports: object) -> Any:
    config = {"ExposedPorts": ports} if ports is not False else {}
    state = {"Running": True, "ExitCode": 0}
    return SimpleNamespace(id="1", attrs={"Config": config, "State": state}, reload=lambda: None)


@pytest.mark.parametrize("ports", [False, None, {}, {"53/udp": {}}])
def test_an_image_that_names_no_port_is_not_started(ports: object) -> None:
    assert start_cost.measure(client_of(), box(ports), PROBE, 1) == StartCost(
        why="no EXPOSE in the image says where it listens"
    )


@pytest.mark.parametrize("address", ["http+docker://ssh", "https://10.0.0.1:2376"])
def test_an_engine_on_another_machine_is_not_measured(address: str) -> None:
    cost = start_cost.measure(client_of(address), box({"80/tcp": {}}), PROBE, 1)
    assert cost == StartCost(why="the engine is on another machine")


@pytest.mark.parametrize(
    ("stats", "said"),
    [
        ({"message": "no metrics received"}, "no metrics received"),
        ({}, "none in its answer"),
        ({"cpu_stats": None}, "none in its answer"),
        ({"cpu_stats": {"cpu_usage": {"total_usage": 0}}}, "none in its answer"),
    ],
)
def test_an_engine_that_counts_no_processor_time_says_so(stats: object, said: str) -> None:
    with pytest.raises(EngineError) as caught:
        start_cost.processor_ns(client_of(stats=stats), box(None))
    assert caught.value.problem == f"counts no processor time of containers ({said})"


def test_only_what_an_engine_does_not_count_is_not_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine, container = client_of(stats={}), box({"80/tcp": {}})
    monkeypatch.setattr(sandbox, "start", lambda running: start_cost.processor_ns(engine, running))
    assert start_cost.measure(engine, container, PROBE, 1) == StartCost(
        why="counts no processor time of containers (none in its answer)"
    )
    del container.attrs["Config"]
    with pytest.raises(EngineError) as caught:
        start_cost.measure(engine, container, PROBE, 1)
    assert caught.value.problem == (
        "cannot inspect a container: unexpected answer (KeyError: 'Config')"
    )


def test_processor_time_is_the_engines_own_count() -> None:
    stats = {"cpu_stats": {"cpu_usage": {"total_usage": 123456789}}}
    assert start_cost.processor_ns(client_of(stats=stats), box(None)) == 123456789
