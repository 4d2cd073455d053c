from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts.__main__ import main as front_door
from scripts.catalog import budget_history, catalog
from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.checks import gate, package_tests
from scripts.common.check_result import CheckResult
from scripts.common.errors import SutraError
from tests.unit.fakes import FakeEngine, FakeImage, tar_of

NAMES = ("sutra-api", "sutra-storage-server")
PROMISES = Catalog(
    Path("images.yaml"),
    tuple(Image(name, Budget(100, 10_000)) for name in NAMES),
    Budget(200, 20_000),
)
Checked = list[tuple[str, str, str]]


@pytest.fixture
def checked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Checked:
    """Record each check with its image and reference; the api's runtime check fails."""
    calls: Checked = []

    def contents(
        _: object, __: object, image: Image, reference: str, **___: Any
    ) -> list[CheckResult]:
        calls.append(("contents", image.name, reference))
        return [CheckResult(image.name, "contents.shells", True, 0, 0, "", "findings")]

    def runtime(
        _: object, __: object, image: Image, reference: str, others: dict[str, str]
    ) -> list[CheckResult]:
        calls.append(("runtime", image.name, reference))
        assert set(others) == set(NAMES)
        return [CheckResult(image.name, "ready", image.name != "sutra-api", 9, 5, "late", "ms")]

    monkeypatch.setattr("scripts.checks.contents.verify.verify_one", contents)
    monkeypatch.setattr("scripts.checks.contents.verify.private_certificates", frozenset)
    monkeypatch.setattr("scripts.checks.runtime.verify.verify_one", runtime)
    return calls


def build(engine: FakeEngine, tag: str = "prod") -> dict[str, str]:
    return {
        name: engine.add(FakeImage([tar_of({name + tag: b"x"})]), f"{name}:{tag}") for name in NAMES
    }


def test_everything_is_checked_of_the_ids_that_were_measured(
    engine: FakeEngine, checked: Checked
) -> None:
    ids = build(engine)
    verdict = gate.everything(engine, PROMISES)
    assert verdict.ids == ids
    assert checked == [
        (what, name, ids[name]) for name in NAMES for what in ("contents", "runtime")
    ]
    assert [(result.image, result.name) for result in verdict.results] == [
        *[(name, size) for name in (*NAMES, "release") for size in ("installed", "download")],
        *[(name, check) for name in NAMES for check in ("contents.shells", "ready")],
    ]


def test_one_failure_is_a_failure(engine: FakeEngine, checked: Checked) -> None:
    build(engine)
    verdict = gate.everything(engine, PROMISES)
    assert not verdict.ok
    passed = tuple(result for result in verdict.results if result.ok)
    assert len(passed) == len(verdict.results) - 1
    assert gate.Verdict(passed, verdict.ids).ok


def test_other_references_can_be_checked(engine: FakeEngine, checked: Checked) -> None:
    build(engine)
    ids = build(engine, "next")
    verdict = gate.everything(engine, PROMISES, {name: f"{name}:next" for name in NAMES})
    assert verdict.ids == ids


def test_an_image_that_is_not_built_is_refused_before_anything_is_started(
    engine: FakeEngine, checked: Checked
) -> None:
    engine.add(FakeImage([tar_of({"a": b"x"})]), "sutra-api:prod")
    with pytest.raises(SutraError) as caught:
        gate.everything(engine, PROMISES)
    assert caught.value.message == (
        'images.yaml: images.sutra-storage-server: not built "sutra-storage-server:prod"'
    )
    assert checked == []


@pytest.mark.parametrize(
    ("check", "tips"),
    [
        (
            "contents.shells",
            "tip: .venv/bin/python -m scripts verify-contents "
            "sutra-storage-server:prod --as sutra-storage-server --all\n",
        ),
        ("ready", ""),
    ],
)
def test_a_failure_of_contents_ends_with_what_to_run_next(
    check: str, tips: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = CheckResult(NAMES[1], check, False, 2, 0, "why", "findings")
    monkeypatch.setattr(catalog, "load_platforms", lambda: PROMISES)
    monkeypatch.setattr(budget_history, "refuse_raises", lambda *_: None)
    monkeypatch.setattr("scripts.engine.client.connect", lambda: None)
    monkeypatch.setattr("scripts.checks.package_tests.plan", lambda *_: package_tests.NONE)
    monkeypatch.setattr(gate, "everything", lambda *_, **__: gate.Verdict((failed,), {}))
    assert front_door(["verify", "--format", "json"]) == 1
    assert capsys.readouterr().err == "why\n" + tips
