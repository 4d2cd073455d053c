from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts import promote
from scripts.catalog import Budget, Catalog, Image
from scripts.errors import SutraError
from scripts.promote import describe, plan
from scripts.tags import Move
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


@pytest.mark.parametrize(
    ("move", "line"),
    [
        (
            Move("a:latest", "sha256:" + "1" * 64, "sha256:" + "2" * 64),
            "a:latest: 111111111111 → 222222222222",
        ),
        (Move("a:latest", None, "sha256:" + "2" * 64), "a:latest: (none) → 222222222222"),
        (
            Move("a:latest", "sha256:" + "2" * 64, "sha256:" + "2" * 64),
            "a:latest: 222222222222 (unchanged)",
        ),
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
        f"not promoted sutra-api:latest: (none) → {short(api)}\n"
        'images.yaml: release.budget.installed: over budget "0.0 MB", '
        "0.0 MB allowed (+1 bytes): no promoted image to compare with\n",
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
