from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from scripts.__main__ import main as front_door
from scripts.checks import gate
from scripts.commands import history
from scripts.common.errors import SutraError
from scripts.history import ledger
from scripts.promotion import promote, rollback
from scripts.promotion.options import Options
from scripts.promotion.rollback import choose
from tests.support import sizes_only
from tests.unit.fakes import FakeEngine
from tests.unit.history.test_ledger import entry
from tests.unit.promotion.test_promote import CATALOG, TABLE, image, left_half_way, short

HISTORY = "`make history` shows what was promoted"


@pytest.fixture(autouse=True)
def _sizes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "everything", sizes_only.everything)


@pytest.fixture
def built(engine: FakeEngine, folder: Path) -> FakeEngine:
    (folder / "images.yaml").write_text(CATALOG)
    engine.add(image("1"), "sutra-base-python:prod")
    return engine


def go(engine: FakeEngine, content: str, version: str = "") -> str:
    """Promote sutra-api with this content; return its id."""
    identity = engine.add(image(content), "sutra-api:prod")
    client: Any = engine
    options = Options.read({"ALLOW_DIRTY": "1", "VERSION": version})
    assert promote.verify_and_promote(client, options) == 0
    return identity


def back(engine: FakeEngine, to: str = "", **knobs: str) -> int:
    client: Any = engine
    return rollback.rollback(client, Options.read({"TO": to, **knobs}))


def refused(engine: FakeEngine, to: str = "") -> tuple[str, str]:
    before = dict(engine.tags)
    with pytest.raises(SutraError) as caught:
        back(engine, to)
    assert engine.tags == before
    return caught.value.message, caught.value.tip


def api(engine: FakeEngine) -> dict[str, str]:
    """Return the tags that people deploy, and what they are on."""
    return {
        tag.partition(":")[2]: identity
        for tag, identity in engine.tags.items()
        if tag.startswith("sutra-api:") and ":kept-" not in tag and not tag.endswith(":prod")
    }


def test_rollback_goes_back_to_what_was_promoted_before(
    built: FakeEngine, capfd: pytest.CaptureFixture[str]
) -> None:
    a, b = go(built, "a", "1.4.1"), go(built, "b", "1.4.2")
    capfd.readouterr()
    assert back(built) == 0
    assert capfd.readouterr() == (
        TABLE,
        "rolling back to 1.4.1\n"
        + "".join(
            f"rolled back sutra-{name}:{tag}: {moved}\n"
            for tag in ("1.4", "1", "latest")
            for name, moved in (
                ("base-python", f"{short(built.tags['sutra-base-python:prod'])} (unchanged)"),
                ("api", f"{short(b)} → {short(a)}"),
            )
            if (name, tag) != ("base-python", "latest")
        ),
    )
    assert api(built) == {"1.4.1": a, "1.4.2": b, "1.4": a, "1": a, "latest": a}
    last = ledger.read()[-1]
    assert (last.verb, last.version, last.of, last.previous, last.tags) == (
        "rollback",
        "1.4.1",
        1,
        2,
        {"1.4": 1, "1": 1, "latest": 1},
    )


def test_rollback_after_rollback_goes_further_back(built: FakeEngine) -> None:
    a, b = go(built, "a"), go(built, "b")
    go(built, "c")
    back(built)
    assert api(built) == {"latest": b}
    back(built)
    assert api(built) == {"latest": a}
    assert refused(built) == ("rollback: nothing else was promoted before", HISTORY)


def test_after_a_rollback_and_a_promotion_the_bad_one_in_between_is_not_gone_back_to(
    built: FakeEngine,
) -> None:
    a = go(built, "a")
    go(built, "b")
    back(built)
    go(built, "c")
    back(built)
    assert api(built) == {"latest": a}


def test_promoting_the_same_images_again_is_not_a_step(built: FakeEngine) -> None:
    a = go(built, "a")
    go(built, "b")
    b = go(built, "b", "1.4.2")
    back(built)
    assert api(built) == {"latest": a, "1.4.2": b, "1.4": b, "1": b}


def test_a_fix_of_an_older_version_goes_back_alone(built: FakeEngine) -> None:
    old, new = go(built, "a", "1.3.8"), go(built, "b", "1.4.2")
    fix = go(built, "c", "1.3.9")
    back(built)
    assert api(built) == {
        "1.3.8": old,
        "1.3.9": fix,
        "1.3": old,
        "1.4.2": new,
        "1.4": new,
        "1": new,
        "latest": new,
    }


def test_a_promotion_that_only_set_new_tags_is_not_gone_back_from(built: FakeEngine) -> None:
    go(built, "a", "1.4.1")
    go(built, "b", "1.4.2")
    go(built, "c", "1.3.9")
    message = "rollback: {} moved no tag that was on something else before"
    tip = f"`make rollback TO=version` names where to go; {HISTORY}"
    assert refused(built) == (message.format("1.3.9"), tip)
    go(built, "d", "1.5.0rc1")
    assert refused(built) == (message.format("1.5.0rc1"), tip)


@pytest.mark.parametrize("to", ["1.4.1", "v1.4.1", "1"])
def test_rollback_to_a_version_or_a_number(built: FakeEngine, to: str) -> None:
    a = go(built, "a", "1.4.1")
    b, c = go(built, "b", "1.4.2"), go(built, "c", "2.0.0")
    back(built, to)
    assert api(built) == {
        "1.4.1": a,
        "1.4.2": b,
        "2.0.0": c,
        "1.4": a,
        "1": a,
        "latest": a,
        "2.0": c,
        "2": c,
    }
    assert refused(built, to) == ("rollback: everything is on 1.4.1 already", HISTORY)


def test_rollback_to_a_version_that_was_a_fix_makes_it_the_latest(built: FakeEngine) -> None:
    go(built, "a", "1.4.2")
    fix = go(built, "b", "1.3.9")
    back(built, "1.3.9")
    assert {tag for tag, identity in api(built).items() if identity == fix} == {
        "1.3.9",
        "1.3",
        "1",
        "latest",
    }


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("9.9.9", 'TO: was never promoted "9.9.9"'),
        ("3", 'TO: was never promoted "3"'),
        ("0", 'TO: was never promoted "0"'),
        ("banana", 'TO: not a version "banana"'),
        ("1.4", 'TO: not major.minor.patch "1.4"'),
        ("latest", 'TO: not a version "latest"'),
    ],
)
def test_an_invalid_goal(to: str, message: str) -> None:
    with pytest.raises(SutraError) as caught:
        choose([entry(1), entry(2, "b")], to)
    assert caught.value.message == message


def test_without_a_ledger_there_is_nothing_to_go_back_to(built: FakeEngine) -> None:
    assert refused(built) == ("rollback: nothing else was promoted before", HISTORY)
    assert refused(built, "1.4.2") == ('TO: was never promoted "1.4.2"', HISTORY)


def test_what_was_promoted_is_verified_again(
    built: FakeEngine, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    go(built, "abc")
    b = go(built, "b")
    tighter = CATALOG.replace("installed: 3 B", "installed: 2 B")
    (folder / "images.yaml").write_text(tighter)
    assert back(built) == 1
    assert capfd.readouterr().err.splitlines()[-1] == (
        'images.yaml: images.sutra-api.budget.installed: over budget "0.0 MB", '
        "0.0 MB allowed (+1 bytes)"
    )
    assert api(built) == {"latest": b}
    assert len(ledger.read()) == 2


def test_an_image_that_is_gone(built: FakeEngine) -> None:
    a = go(built, "a")
    go(built, "b")
    del built.by_id[a]
    assert refused(built) == (
        f'.build/history.jsonl: line 1: image no longer exists "sutra-api@{a}"',
        f"check out its commit and run `make prod`; {HISTORY}",
    )


MORE = "  sutra-more: {budget: {installed: 9 B, download: 1 MB}}\n"


def test_a_service_that_was_added_since_stays_where_it_is(
    built: FakeEngine, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    a = go(built, "a")
    (folder / "images.yaml").write_text(CATALOG + MORE)
    more = built.add(image("m"), "sutra-more:prod")
    go(built, "b")
    assert back(built) == 0
    assert api(built) == {"latest": a}
    assert built.tags["sutra-more:latest"] == more
    assert "stays sutra-more: not in promotion 1" in capfd.readouterr().err.splitlines()
    assert set(ledger.read()[-1].images) == {"sutra-base-python", "sutra-api"}


def test_a_service_that_was_removed_since_stays_and_the_others_go_back(
    built: FakeEngine, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "images.yaml").write_text(CATALOG + MORE)
    more = built.add(image("m"), "sutra-more:prod")
    a = go(built, "a")
    (folder / "images.yaml").write_text(CATALOG)
    go(built, "b")
    assert back(built) == 0
    assert api(built) == {"latest": a}
    assert built.tags["sutra-more:latest"] == more
    line = "stays sutra-more: not in images.yaml any more"
    assert line in capfd.readouterr().err.splitlines()


def test_a_rollback_across_both_can_be_taken_back(built: FakeEngine, folder: Path) -> None:
    go(built, "a")
    (folder / "images.yaml").write_text(CATALOG + MORE)
    built.add(image("m"), "sutra-more:prod")
    b = go(built, "b")
    assert back(built) == 0
    assert back(built, "2") == 0
    assert api(built) == {"latest": b}


def test_a_promotion_that_has_no_image_of_todays_is_refused(
    built: FakeEngine, folder: Path
) -> None:
    go(built, "a")
    go(built, "b")
    (folder / "images.yaml").write_text(
        "release: {budget: {installed: 9 B, download: 1 MB}}\nimages:\n" + MORE
    )
    built.add(image("m"), "sutra-more:prod")
    assert refused(built) == (
        '.build/history.jsonl: line 1: no image of images.yaml "sutra-base-python, sutra-api"',
        f"check out its commit and run `make prod`; {HISTORY}",
    )


def test_a_dry_run_moves_nothing(
    built: FakeEngine, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = go(built, "a"), go(built, "b")
    before = dict(built.tags)
    capfd.readouterr()
    monkeypatch.setattr("scripts.engine.client.connect", lambda: built)
    assert front_door(["rollback", "--dry-run"]) == 0
    out, err = capfd.readouterr()
    assert out.removeprefix(TABLE) == (
        "┏━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┓\n"
        "┃ tag              ┃ from digest  ┃ to digest    ┃\n"
        "┡━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━┩\n"
        f"│ sutra-api:latest │ {short(b)} │ {short(a)} │\n"
        "└──────────────────┴──────────────┴──────────────┘\n"
    )
    assert err == "rolling back to promotion 1\n"
    assert built.tags == before


# ---- history ---------------------------------------------------------------


def shown(*words: str) -> int:
    return front_door(["history", *words])


def test_no_history(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert shown() == 0
    assert capfd.readouterr() == ("nothing was promoted yet (.build/history.jsonl)\n", "")


def test_history_is_a_table_newest_first() -> None:
    entries = [
        entry(1, version="1.4.1", tags={"1.4.1": 1, "latest": 1}),
        entry(2, "b", commit="d" * 40 + "-dirty"),
        entry(3, verb="rollback", version="1.4.1", of=1, tags={"latest": 1}),
    ]
    common = ("2026-01-02T03:04:05Z", "me@here")
    rest = ("0.0 MB", "0.0 MB", "6 checks passed")
    assert history.rows(entries) == [
        ("3", *common, "rollback to 1.4.1", "ccccccc", "latest", "api", "a" * 12, *rest),
        ("2", *common, "promote #2", "ddddddd-dirty", "latest", "api", "b" * 12, *rest),
        ("1*", *common, "promote 1.4.1", "ccccccc", "1.4.1 latest", "api", "a" * 12, *rest),
    ]


def test_history_as_json_and_as_a_table(
    built: FakeEngine, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    a = go(built, "a", "1.4.1")
    capfd.readouterr()
    assert shown("--format", "json") == 0
    assert json.loads(capfd.readouterr().out) == [json.loads(ledger.read()[0].line())]
    assert shown() == 0
    line = next(row for row in capfd.readouterr().out.splitlines() if "sutra-api" in row)
    assert [cell.strip() for cell in line.split("│")][7:11] == [
        "sutra-api",
        short(a),
        "0.0 MB",
        "0.0 MB",
    ]


def test_history_says_what_is_unfinished(
    built: FakeEngine, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    left_half_way(built)
    capfd.readouterr()
    tags = dict(built.tags)
    assert shown() == 0
    assert re.fullmatch(
        r"\.build/promotion\.json: promote 2 \(\S+, \S+\) is unfinished; "
        "the next `make promote` or `make rollback` settles what is unfinished\n",
        capfd.readouterr().err,
    )
    assert built.tags == tags


# ---- images of other platforms ----------------------------------------------


BOTH = "linux/amd64,linux/arm64"


def go_on_both(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, content: str) -> dict[str, str]:
    """Promote both platforms with this content; return the id of sutra-api by repository."""
    monkeypatch.setenv("PLATFORMS", BOTH)
    engine.add(image("1"), "arm64/sutra-base-python:prod")
    other = engine.add(image(content.upper()), "arm64/sutra-api:prod")
    own = go(engine, content)
    monkeypatch.delenv("PLATFORMS")
    return {"sutra-api": own, "arm64/sutra-api": other}


def latest(engine: FakeEngine) -> dict[str, str]:
    return {
        tag.removesuffix(":latest"): identity
        for tag, identity in engine.tags.items()
        if tag.endswith("sutra-api:latest")
    }


@pytest.mark.usefixtures("amd64")
def test_every_platform_goes_back_whatever_platforms_says(
    built: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = go_on_both(built, monkeypatch, "a")
    second = go_on_both(built, monkeypatch, "b")
    assert latest(built) == second
    assert ledger.read()[-1].ids == {
        "sutra-base-python": built.tags["sutra-base-python:prod"],
        "arm64/sutra-base-python": built.tags["arm64/sutra-base-python:prod"],
        **second,
    }
    assert back(built) == 0
    assert latest(built) == first


@pytest.mark.usefixtures("amd64")
def test_a_platform_that_was_not_promoted_then_stays(
    built: FakeEngine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    own = go(built, "a")
    later = go_on_both(built, monkeypatch, "b")
    capfd.readouterr()
    assert back(built) == 0
    assert latest(built) == {**later, "sutra-api": own}
    assert "stays arm64/sutra-api: not in promotion 1\n" in capfd.readouterr().err


@pytest.mark.usefixtures("amd64")
def test_a_platform_over_its_budget_moves_none(
    built: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = go_on_both(built, monkeypatch, "a")
    monkeypatch.setenv("PLATFORMS", BOTH)
    budgets = "arm64: {installed: 0 B, download: 1 MB}}"
    text = Path("images.yaml").read_text()
    place = text.rindex("budget: {")
    end = text.index("}", place)
    Path("images.yaml").write_text(f"{text[:end]}, {budgets}{text[end + 1 :]}")
    built.add(image("c"), "sutra-api:prod")
    client: Any = built
    options = Options.read({"ALLOW_DIRTY": "1", "ALLOW_UNCOMPARED": "1"})
    assert promote.verify_and_promote(client, options) == 1
    assert latest(built) == first
