from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts import promote
from scripts.catalog import Budget, Catalog, Image
from scripts.errors import SutraError
from scripts.promote import Move, apply, describe, plan
from tests.unit.fakes import FakeEngine, FakeImage, tar_of

PROMISES = Catalog(
    Path("images.yaml"),
    (
        Image("sutra-base-python", Budget(1, 1), "builders start from it"),
        Image("sutra-api", Budget(1, 1)),
        Image("sutra-hybrid", Budget(1, 1)),
    ),
    Budget(1, 1),
)
NAMES = ("a", "b", "c", "d")


def image(content: str) -> FakeImage:
    return FakeImage([tar_of({"file": content.encode()})])


def test_the_plan_moves_each_image_but_those_with_a_reason(engine: FakeEngine) -> None:
    old = engine.add(image("old"), "sutra-api:latest", "sutra-base-python:latest")
    verified = {
        "sutra-base-python": "sha256:p",
        "sutra-api": "sha256:a",
        "sutra-hybrid": "sha256:h",
    }
    assert plan(engine, PROMISES, verified) == [
        Move("sutra-api:latest", old, "sha256:a"),
        Move("sutra-hybrid:latest", None, "sha256:h"),
    ]


def test_tags_go_to_ids(engine: FakeEngine) -> None:
    old, new = engine.add(image("old"), "a:latest"), engine.add(image("new"), "a:prod")
    apply(engine, [Move("a:latest", old, new), Move("b:latest", None, new)])
    assert engine.moves == [("a:latest", new), ("b:latest", new)]
    assert engine.tags == {"a:prod": new, "a:latest": new, "b:latest": new}


def test_a_tag_in_a_registry_with_a_port_is_split_at_its_last_colon(engine: FakeEngine) -> None:
    new = engine.add(image("new"))
    apply(engine, [Move("localhost:5000/a:latest", None, new)])
    assert engine.tags == {"localhost:5000/a:latest": new}


def test_a_tag_that_is_there_already_is_not_moved(engine: FakeEngine) -> None:
    same, new = engine.add(image("same"), "a:latest"), engine.add(image("new"))
    apply(engine, [Move("a:latest", same, same), Move("b:latest", None, new)])
    assert engine.moves == [("b:latest", new)]


def four_moves(engine: FakeEngine) -> list[Move]:
    """a and c have a tag already, b and d do not."""
    new = [engine.add(image(f"new {name}"), f"{name}:prod") for name in NAMES]
    old = [
        engine.add(image(f"old {name}"), f"{name}:latest") if name in "ac" else None
        for name in NAMES
    ]
    return [
        Move(f"{name}:latest", before, after)
        for name, before, after in zip(NAMES, old, new, strict=True)
    ]


@pytest.mark.parametrize("late", [False, True], ids=["before it moved", "after it moved"])
@pytest.mark.parametrize("name", NAMES)
def test_a_failure_at_any_tag_takes_all_moves_back(
    engine: FakeEngine, name: str, late: bool
) -> None:
    moves = four_moves(engine)
    before = dict(engine.tags)
    engine.fail_tag, engine.fail_late = f"{name}:latest", late
    with pytest.raises(SutraError) as caught:
        apply(engine, moves)
    assert caught.value.message == f'engine: cannot tag "{name}:latest": disk is read-only'
    assert caught.value.tip == "run `make engine`"
    assert engine.tags == before


@pytest.mark.parametrize("name", NAMES)
def test_a_tag_that_cannot_be_set_at_all_does_not_hold_up_the_others(
    engine: FakeEngine, name: str
) -> None:
    moves = four_moves(engine)
    before = dict(engine.tags)
    engine.fail_tag, engine.fail_always = f"{name}:latest", True
    with pytest.raises(SutraError) as caught:
        apply(engine, moves)
    assert caught.value.message == f'engine: cannot tag "{name}:latest": disk is read-only'
    assert engine.tags == before


@pytest.mark.parametrize("late", [False, True], ids=["before it moved", "after it moved"])
@pytest.mark.parametrize("name", NAMES)
def test_an_interrupt_at_any_tag_takes_all_moves_back(
    engine: FakeEngine, name: str, late: bool
) -> None:
    moves = four_moves(engine)
    before = dict(engine.tags)
    engine.fail_tag, engine.fail_late = f"{name}:latest", late
    engine.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        apply(engine, moves)
    assert engine.tags == before


def test_nothing_to_move_is_no_failure(engine: FakeEngine) -> None:
    apply(engine, [])
    assert engine.moves == []


@pytest.mark.parametrize(
    ("move", "line"),
    [
        (
            Move("a:latest", "sha256:" + "1" * 64, "sha256:" + "2" * 64),
            "a:latest: 111111111111 → 222222222222",
        ),
        (Move("a:latest", None, "sha256:" + "2" * 64), "a:latest: (none) → 222222222222"),
    ],
)
def test_a_move_is_one_line(move: Move, line: str) -> None:
    assert describe(move) == line


# ---- verify and promote, on an engine in memory ----------------------------

CATALOG = """\
release: {budget: {installed: 4 B, download: 1 MB}}
images:
  sutra-base-python: {budget: {installed: 9 B, download: 1 MB}, not_promoted_because: no}
  sutra-api: {budget: {installed: 3 B, download: 1 MB}}
""".replace("because: no", "because: builders start from it")
TABLE = """\
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━━┳━━━━━━━━━━┳━━━━━━━━┳━━━━┓
┃ image                        ┃ installed ┃ budget ┃ download ┃ budget ┃ ok ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━╇━━━━━━━━━━╇━━━━━━━━╇━━━━┩
│ sutra-base-python            │    0.0 MB │ 0.0 MB │   0.0 MB │ 1.0 MB │ ok │
│ sutra-api                    │    0.0 MB │ 0.0 MB │   0.0 MB │ 1.0 MB │ ok │
├──────────────────────────────┼───────────┼────────┼──────────┼────────┼────┤
│ release (shared layers once) │    0.0 MB │ 0.0 MB │   0.0 MB │ 1.0 MB │ ok │
└──────────────────────────────┴───────────┴────────┴──────────┴────────┴────┘
"""
TABLE_OVER = """\
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━━┳━━━━━━━━━━┳━━━━━━━━┳━━━━━━┓
┃ image                        ┃ installed ┃ budget ┃ download ┃ budget ┃ ok   ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━╇━━━━━━━━━━╇━━━━━━━━╇━━━━━━┩
│ sutra-base-python            │    0.0 MB │ 0.0 MB │   0.0 MB │ 1.0 MB │ ok   │
│ sutra-api                    │    0.0 MB │ 0.0 MB │   0.0 MB │ 1.0 MB │ ok   │
├──────────────────────────────┼───────────┼────────┼──────────┼────────┼──────┤
│ release (shared layers once) │    0.0 MB │ 0.0 MB │   0.0 MB │ 1.0 MB │ OVER │
└──────────────────────────────┴───────────┴────────┴──────────┴────────┴──────┘
"""


def short(identity: str) -> str:
    return identity.removeprefix("sha256:")[:12]


@pytest.fixture
def built(engine: FakeEngine, folder: Path) -> tuple[FakeEngine, str]:
    """Both images are built and within their budgets; returns the id of sutra-api as well."""
    (folder / "images.yaml").write_text(CATALOG)
    engine.add(image("1"), "sutra-base-python:prod")
    return engine, engine.add(image("123"), "sutra-api:prod")


def test_what_passed_is_promoted(
    built: tuple[FakeEngine, str], capfd: pytest.CaptureFixture[str]
) -> None:
    engine, api = built
    assert promote.verify_and_promote(engine) == 0
    assert capfd.readouterr() == (
        TABLE, f"promoted sutra-api:latest: (none) → {short(api)}\n"
    )  # fmt: skip
    assert engine.moves == [("sutra-api:latest", api)]
    assert "sutra-base-python:latest" not in engine.tags


def test_a_dry_run_moves_nothing(
    built: tuple[FakeEngine, str],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine, api = built
    monkeypatch.setattr(promote.engine, "connect", lambda: engine)
    monkeypatch.setattr(sys, "argv", ["promote", "--dry-run"])
    assert promote.main() == 0
    assert capfd.readouterr() == (
        TABLE, f"would promote sutra-api:latest: (none) → {short(api)}\n"
    )  # fmt: skip
    assert engine.moves == []


def test_main_promotes_without_dry_run(
    built: tuple[FakeEngine, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, api = built
    monkeypatch.setattr(promote.engine, "connect", lambda: engine)
    monkeypatch.setattr(sys, "argv", ["promote"])
    assert promote.main() == 0
    assert engine.tags["sutra-api:latest"] == api


def test_one_byte_over_promotes_nothing(
    built: tuple[FakeEngine, str], capfd: pytest.CaptureFixture[str]
) -> None:
    engine, api = built
    larger = engine.add(image("12"), "sutra-base-python:prod")
    assert promote.verify_and_promote(engine) == 1
    assert capfd.readouterr() == (
        TABLE_OVER,
        'images.yaml: release.budget.installed: over budget "0.0 MB", '
        "0.0 MB allowed (+1 bytes)\n"
        f"not promoted sutra-api:latest: (none) → {short(api)}\n",
    )
    assert engine.moves == []
    assert larger != api


def test_an_image_that_is_not_built_promotes_nothing(
    built: tuple[FakeEngine, str], capfd: pytest.CaptureFixture[str]
) -> None:
    engine, _ = built
    del engine.tags["sutra-api:prod"]
    with pytest.raises(SutraError) as caught:
        promote.verify_and_promote(engine)
    assert caught.value.message == 'images.yaml: images.sutra-api: not built "sutra-api:prod"'
    assert caught.value.tip == "run `make build`"
    assert engine.moves == []
    assert capfd.readouterr() == ("", "")
