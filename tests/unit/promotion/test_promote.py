from __future__ import annotations

import json
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError

from scripts.__main__ import main as front_door
from scripts.checks import gate
from scripts.common.errors import SutraError
from scripts.common.labels import REVISION
from scripts.engine import tags
from scripts.engine.move import Move
from scripts.history import journal, ledger
from scripts.promotion import plan, promote
from scripts.promotion.options import Options
from scripts.promotion.plan import describe
from tests.support import sizes_only
from tests.unit.fakes import FakeEngine, FakeImage, tar_of

NAMES = ("sutra-base-python", "sutra-api")


@pytest.fixture(autouse=True)
def _sizes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "everything", sizes_only.everything)


def image(content: str, revision: str = "") -> FakeImage:
    labels = {REVISION: revision} if revision else {}
    return FakeImage([tar_of({"file": content.encode()})], labels=labels)


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

UNCOMPARED = "images.yaml: budgets: not compared with earlier ones, no commit\n"
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


def go(engine: FakeEngine, **knobs: str) -> int:
    """Promote with these knobs; in an empty folder there is no commit."""
    client: Any = engine
    return promote.verify_and_promote(client, Options.read({"ALLOW_DIRTY": "1", **knobs}))


def refused(engine: FakeEngine, **knobs: str) -> tuple[str, str]:
    """Return message and tip; nothing was moved, and nothing is under way."""
    before = dict(engine.tags)
    with pytest.raises(SutraError) as caught:
        go(engine, **knobs)
    assert engine.tags == before
    assert not journal.JOURNAL.exists()
    return caught.value.message, caught.value.tip


@pytest.fixture
def built(engine: FakeEngine, folder: Path) -> tuple[FakeEngine, str]:
    """Build both images within their budgets; also return the id of sutra-api."""
    (folder / "images.yaml").write_text(CATALOG)
    engine.add(image("1"), "sutra-base-python:prod")
    return engine, engine.add(image("123"), "sutra-api:prod")


def deployed(engine: FakeEngine) -> dict[str, str]:
    return {
        tag: identity
        for tag, identity in engine.tags.items()
        if not tag.rpartition(":")[2].startswith(("prod", "kept-"))
    }


def test_what_passed_is_promoted(
    built: tuple[FakeEngine, str], capfd: pytest.CaptureFixture[str]
) -> None:
    engine, api = built
    assert go(engine) == 0
    assert capfd.readouterr() == (
        TABLE,
        UNCOMPARED + f"promoted sutra-api:latest: (none) → {short(api)}\n",
    )
    assert deployed(engine) == {"sutra-api:latest": api}
    assert not journal.JOURNAL.exists()


def test_the_ledger_says_who_when_what_and_how_it_was_found(
    built: tuple[FakeEngine, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, api = built
    monkeypatch.setenv("LOGNAME", "founder")
    monkeypatch.setattr("socket.gethostname", lambda: "forge")
    before = datetime.now(UTC).strftime(ledger.TIME)
    go(engine, VERSION="1.4.2")
    [line] = ledger.LEDGER.read_text().splitlines()
    written = json.loads(line)
    assert before <= written.pop("at") <= datetime.now(UTC).strftime(ledger.TIME)
    assert written == {
        "number": 1,
        "who": "founder@forge",
        "verb": "promote",
        "version": "1.4.2",
        "commit": "",
        "registry": "",
        "verdict": "6 checks passed",
        "of": 1,
        "previous": 0,
        "tags": {"1.4.2": 1, "1.4": 1, "1": 1, "latest": 1},
        "images": {
            "sutra-base-python": {
                "id": engine.tags["sutra-base-python:prod"],
                "digest": "",
                "revision": "",
                "installed": 1,
                "download": written["images"]["sutra-base-python"]["download"],
            },
            "sutra-api": {
                "id": api,
                "digest": "",
                "revision": "",
                "installed": 3,
                "download": written["images"]["sutra-api"]["download"],
            },
        },
    }


def test_a_version_sets_its_tags_on_all_but_a_latest_with_a_reason(
    built: tuple[FakeEngine, str],
) -> None:
    engine, api = built
    base = engine.tags["sutra-base-python:prod"]
    go(engine, VERSION="1.4.2")
    assert deployed(engine) == {
        **{f"sutra-base-python:{tag}": base for tag in ("1.4.2", "1.4", "1")},
        **{f"sutra-api:{tag}": api for tag in ("1.4.2", "1.4", "1", "latest")},
    }


def test_an_older_version_and_a_pre_release_move_only_what_is_theirs(
    built: tuple[FakeEngine, str],
) -> None:
    engine, api = built
    go(engine, VERSION="1.4.2")
    new = engine.add(image("12"), "sutra-api:prod")
    go(engine, VERSION="1.3.9")
    go(engine, VERSION="2.0.0rc1")
    assert {tag: identity for tag, identity in deployed(engine).items() if "api" in tag} == {
        **{f"sutra-api:{tag}": api for tag in ("1.4.2", "1.4", "1", "latest")},
        **{f"sutra-api:{tag}": new for tag in ("1.3.9", "1.3", "2.0.0rc1")},
    }


def test_versions_of_the_engine_count_where_the_ledger_is_gone(
    built: tuple[FakeEngine, str],
) -> None:
    engine, _ = built
    go(engine, VERSION="1.4.2")
    ledger.LEDGER.unlink()
    before = deployed(engine)
    engine.add(image("12"), "sutra-api:prod")
    go(engine, VERSION="1.3.9")
    assert deployed(engine).items() >= before.items()


def test_a_version_is_set_to_the_same_images_again_and_to_no_others(
    built: tuple[FakeEngine, str],
) -> None:
    engine, api = built
    go(engine, VERSION="1.4.2")
    assert go(engine, VERSION="1.4.2") == 0
    assert len(ledger.read()) == 1  # nothing moved
    other = engine.add(image("12"), "sutra-api:prod")
    tip = "a version never moves: choose the next one"
    assert refused(engine, VERSION="v1.4.2") == (
        'VERSION: "1.4.2" is other images already (.build/history.jsonl: line 1)',
        tip,
    )
    ledger.LEDGER.unlink()
    assert refused(engine, VERSION="1.4.2") == (
        f'VERSION: "sutra-api:1.4.2" is set already, to {api}, not {other}',
        tip,
    )


def test_where_the_ledger_was_put_aside_it_gets_its_line_again(
    built: tuple[FakeEngine, str],
) -> None:
    engine, api = built
    go(engine, VERSION="1.4.2")
    ledger.LEDGER.unlink()
    before = deployed(engine)
    assert go(engine) == 0
    assert go(engine) == 0  # the second has nothing to say
    assert go(engine, VERSION="1.4.2") == 0
    assert go(engine, VERSION="1.4.2") == 0
    assert deployed(engine) == before
    assert [(entry.version, entry.ids["sutra-api"]) for entry in ledger.read()] == [
        ("", api),
        ("1.4.2", api),
    ]


def test_a_last_line_without_a_line_feed_gets_one(built: tuple[FakeEngine, str]) -> None:
    engine, _ = built
    go(engine, VERSION="1.4.2")
    engine.add(image("12"), "sutra-api:prod")
    go(engine, VERSION="1.3.9")
    engine.add(image("123"), "sutra-api:prod")
    go(engine, VERSION="1.4.2")
    assert [entry.version for entry in ledger.read()] == ["1.4.2", "1.3.9", "1.4.2"]


PLAN = """\
┏━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┓
┃ tag              ┃ from digest ┃ to digest    ┃
┡━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━╇━━━━━━━━━━━━━━┩
│ sutra-api:latest │ (none)      │ {api} │
└──────────────────┴─────────────┴──────────────┘
"""


@pytest.mark.parametrize("words", [["--dry-run"], []], ids=["argument", "DRY_RUN"])
def test_a_dry_run_shows_the_plan_and_moves_nothing(
    built: tuple[FakeEngine, str],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
) -> None:
    engine, api = built
    monkeypatch.setattr("scripts.engine.client.connect", lambda: engine)
    monkeypatch.setenv("ALLOW_DIRTY", "yes")
    monkeypatch.setenv("DRY_RUN", "" if words else "1")
    assert front_door(["promote", *words]) == 0
    assert capfd.readouterr() == (TABLE + PLAN.format(api=short(api)), UNCOMPARED)
    assert engine.moves == []
    assert not Path(".build").exists()


def test_main_promotes_without_dry_run(
    built: tuple[FakeEngine, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, api = built
    monkeypatch.setattr("scripts.engine.client.connect", lambda: engine)
    monkeypatch.setenv("ALLOW_DIRTY", "1")
    assert front_door(["promote"]) == 0
    assert engine.tags["sutra-api:latest"] == api


def test_one_byte_over_promotes_nothing(
    built: tuple[FakeEngine, str], capfd: pytest.CaptureFixture[str]
) -> None:
    engine, api = built
    larger = engine.add(image("12"), "sutra-base-python:prod")
    assert go(engine) == 1
    assert capfd.readouterr() == (
        TABLE_OVER,
        UNCOMPARED + f"not moved sutra-api:latest: (none) → {short(api)}\n"
        'images.yaml: release.budget.installed: over budget "0.0 MB", '
        "0.0 MB allowed (+1 bytes)\n",
    )
    assert engine.moves == []
    assert ledger.read() == []
    assert larger != api


def test_an_image_that_is_not_built_promotes_nothing(
    built: tuple[FakeEngine, str], capfd: pytest.CaptureFixture[str]
) -> None:
    engine, _ = built
    del engine.tags["sutra-api:prod"]
    assert refused(engine) == (
        'images.yaml: images.sutra-api: not built "sutra-api:prod"',
        "run `make build`",
    )
    assert capfd.readouterr() == ("", UNCOMPARED)


def test_a_version_is_not_other_images_under_another_spelling(
    built: tuple[FakeEngine, str],
) -> None:
    engine, api = built
    other = engine.add(image("12"), "sutra-api:v1.4.2")
    with pytest.raises(SutraError) as caught:
        go(engine, VERSION="1.4.2")
    assert caught.value.message == (
        f'VERSION: "sutra-api:v1.4.2" is set already, to {other}, not {api}'
    )
    assert caught.value.tip == "a version never moves: choose the next one"
    engine.tags["sutra-api:v1.4.2"] = api
    assert go(engine, VERSION="1.4.2") == 0


# ---- the commit ------------------------------------------------------------

AGAIN = "tip: run `make prod` again, with no other build beside it\n"
TIP = "tip: commit, then run `make prod` again; ALLOW_DIRTY=1 promotes it as it is\n"


@pytest.fixture
def commit(built: tuple[FakeEngine, str], folder: Path) -> str:
    """Make a clean commit in the folder, from which the images claim to be built."""
    engine, _ = built
    (folder / ".gitignore").write_text(".build/\n.cache/\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True)
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True)
    revision = done.stdout.strip()
    engine.add(image("1", revision), "sutra-base-python:prod")
    engine.add(image("123", revision), "sutra-api:prod")
    return revision


def test_images_of_the_clean_commit_are_promoted(
    built: tuple[FakeEngine, str], commit: str
) -> None:
    engine, _ = built
    assert go(engine, ALLOW_DIRTY="") == 0
    [entry] = ledger.read()
    assert entry.commit == commit
    assert {image.revision for image in entry.images.values()} == {commit}


def test_a_dirty_tree_is_verified_and_not_promoted(
    built: tuple[FakeEngine, str], commit: str, capfd: pytest.CaptureFixture[str], folder: Path
) -> None:
    engine, _ = built
    (folder / "images.yaml").write_text(CATALOG + "# more\n")
    assert go(engine, ALLOW_DIRTY="0") == 1
    out, err = capfd.readouterr()
    assert out == TABLE
    assert err == (
        f"not moved sutra-api:latest: (none) → {short(engine.tags['sutra-api:prod'])}\n"
        "git: uncommitted changes, the images are verified but not promoted\n" + TIP
    )
    assert deployed(engine) == {}
    assert go(engine) == 0
    assert ledger.read()[0].commit == commit + "-dirty"


def test_images_of_another_commit_are_not_promoted(
    built: tuple[FakeEngine, str], commit: str, capfd: pytest.CaptureFixture[str]
) -> None:
    engine, _ = built
    api = engine.add(image("123", "0" * 40 + "-dirty"), "sutra-api:prod")
    assert go(engine, ALLOW_DIRTY="no") == 1
    assert capfd.readouterr().err == (
        f"not moved sutra-api:latest: (none) → {short(api)}\n"
        f"sutra-api: {REVISION}: not the commit that is checked out "
        f'"{"0" * 40}-dirty", expected "{commit}"\n' + AGAIN
    )
    assert deployed(engine) == {}


def test_without_a_commit_nothing_is_verified(
    built: tuple[FakeEngine, str], capfd: pytest.CaptureFixture[str]
) -> None:
    """It would fail anyway, but only minutes later."""
    engine, _ = built
    with pytest.raises(SutraError) as caught:
        go(engine, ALLOW_DIRTY="")
    assert caught.value.message == (
        "git: no commit can be read: not a git repository (or any of the parent directories): .git"
    )
    assert capfd.readouterr() == ("", "")
    assert deployed(engine) == {}


def test_a_dry_run_without_a_commit_says_so_at_its_end(
    built: tuple[FakeEngine, str], capfd: pytest.CaptureFixture[str]
) -> None:
    engine, _ = built
    assert go(engine, ALLOW_DIRTY="", DRY_RUN="1") == 1
    assert capfd.readouterr().err == (
        UNCOMPARED + "git: no commit can be read: not a git repository "
        "(or any of the parent directories): .git\n"
        "tip: a ZIP or a copy without .git names no commit: `git clone` the repository, "
        "or ALLOW_DIRTY=1 promotes what nobody can trace\n"
    )


@pytest.mark.parametrize("allow_dirty", [False, True])
def test_images_that_another_build_moved_are_not_promoted(
    built: tuple[FakeEngine, str],
    commit: str,
    capfd: pytest.CaptureFixture[str],
    allow_dirty: bool,
) -> None:
    """Two `make prod` at once: the first to build finds the other's images under its tags."""
    engine, _ = built
    ids = {f"{name}:prod": engine.tags[f"{name}:prod"] for name in NAMES}
    assert promote.verify_and_promote(engine, Options(allow_dirty=allow_dirty), ids) == 0
    before = deployed(engine)
    other = engine.add(image("12", commit), "sutra-api:prod")
    capfd.readouterr()
    assert promote.verify_and_promote(engine, Options(allow_dirty=allow_dirty), ids) == 1
    assert capfd.readouterr().err == (
        f"not moved sutra-api:latest: {short(before['sutra-api:latest'])} → {short(other)}\n"
        'sutra-api: another build moved "sutra-api:prod" while this one ran\n' + AGAIN
    )
    assert deployed(engine) == before


# ---- knobs -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("knobs", "message", "tip"),
    [
        ({"KEEP": "0"}, 'KEEP: not a whole number of 1 or more "0"', "such as KEEP=5"),
        ({"KEEP": "-1"}, 'KEEP: not a whole number of 1 or more "-1"', "such as KEEP=5"),
        ({"KEEP": "many"}, 'KEEP: not a whole number of 1 or more "many"', "such as KEEP=5"),
        ({"KEEP": "²"}, 'KEEP: not a whole number of 1 or more "²"', "such as KEEP=5"),
        ({"DRY_RUN": "maybe"}, 'DRY_RUN: neither yes nor no "maybe"', "DRY_RUN=1, or leave it out"),
        (
            {"ALLOW_DIRTY": "2"},
            'ALLOW_DIRTY: neither yes nor no "2"',
            "ALLOW_DIRTY=1, or leave it out",
        ),
        (
            {"VERSION": "1.4"},
            'VERSION: not major.minor.patch "1.4"',
            "such as VERSION=1.4.2, or VERSION=1.4.2rc1 before it",
        ),
        (
            {"REGISTRY": "https://localhost"},
            'REGISTRY: not host/path "https://localhost"',
            "such as REGISTRY=localhost:5000/me",
        ),
    ],
)
def test_a_wrong_knob(knobs: dict[str, str], message: str, tip: str) -> None:
    with pytest.raises(SutraError) as caught:
        Options.read(knobs)
    assert (caught.value.message, caught.value.tip) == (message, tip)


def test_knobs_that_are_not_set_have_their_defaults() -> None:
    assert Options.read({"KEEP": "", "DRY_RUN": "0"}) == Options(keep=5)
    assert Options.read({"KEEP": "1", "DRY_RUN": "TRUE"}) == Options(keep=1, dry_run=True)


# ---- what goes wrong on the way --------------------------------------------


def test_a_clock_that_went_backwards(
    built: tuple[FakeEngine, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, _ = built
    go(engine)
    text = ledger.LEDGER.read_text()
    at = ledger.read()[0].at
    ledger.LEDGER.write_text(text.replace(at, "2999-01-01T00:00:00Z"))
    monkeypatch.setattr(plan, "datetime", _Clock)
    engine.add(image("12"), "sutra-api:prod")
    assert refused(engine) == (
        'clock: now "2026-01-02T03:04:05Z", which is before the last promotion '
        '"2999-01-01T00:00:00Z"',
        "set the clock, or fix that time in .build/history.jsonl",
    )


class _Clock(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override] # one fixed time
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_two_promotions_in_one_second_do_not_mean_that_the_clock_went_backwards(
    built: tuple[FakeEngine, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, _ = built
    monkeypatch.setattr(plan, "datetime", _Clock)
    go(engine)
    engine.add(image("12"), "sutra-api:prod")
    assert go(engine) == 0
    assert [entry.at for entry in ledger.read()] == ["2026-01-02T03:04:05Z"] * 2


@pytest.mark.parametrize("late", [False, True], ids=["before it moved", "after it moved"])
@pytest.mark.parametrize("tag", ["sutra-api:latest", "sutra-api:1.4", "sutra-api:1.4.2"])
def test_an_engine_that_fails_leaves_everything_as_it_was(
    built: tuple[FakeEngine, str], tag: str, late: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    engine, _ = built
    go(engine, VERSION="1.4.1")
    engine.add(image("12"), "sutra-api:prod")
    engine.fail_tag, engine.fail_late = tag, late
    assert refused(engine, VERSION="1.4.2") == (
        f'engine: cannot tag "{tag}": disk is read-only',
        "run `make engine`",
    )
    assert (
        capfd.readouterr()
        .err.splitlines()[-1]
        .endswith("was interrupted, everything is as it was before it")
    )
    assert len(ledger.read()) == 1


def test_an_interrupt_leaves_everything_as_it_was(built: tuple[FakeEngine, str]) -> None:
    engine, _ = built
    engine.fail_tag, engine.error = "sutra-api:latest", KeyboardInterrupt()
    before = dict(engine.tags)
    with pytest.raises(KeyboardInterrupt):
        go(engine)
    assert engine.tags == before
    assert ledger.read() == []
    assert not journal.JOURNAL.exists()


def stop_at(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, last: str) -> None:
    """The engine moves and removes no tag after `last`."""
    tag = engine.tag
    down: list[str] = []

    def failing(source: str, repository: str, name: str) -> bool:
        if down or f"{repository}:{name}" == last:
            down.append(name)
            raise APIError("500", explanation="disk is read-only")
        return tag(source, repository, name)

    def staying(reference: str, noprune: bool) -> list[Any]:
        raise APIError("500", explanation="disk is read-only")

    monkeypatch.setattr(engine, "tag", failing)
    monkeypatch.setattr(engine, "remove_image", staying)


def left_half_way(engine: FakeEngine) -> dict[str, str]:
    """Promote "b" as 1.4.2 over "a" until its last tag fails, and all ways back; return tags."""
    engine.add(image("a"), "sutra-api:prod")
    go(engine, VERSION="1.4.1")
    before = dict(engine.tags)
    engine.add(image("b"), "sutra-api:prod")
    with pytest.MonkeyPatch.context() as patch:
        stop_at(engine, patch, "sutra-api:latest")
        with pytest.raises(SutraError) as caught:
            go(engine, VERSION="1.4.2")
    assert caught.value.message == 'engine: cannot tag "sutra-api:latest": disk is read-only'
    assert caught.value.tip == (
        "the next `make promote` or `make rollback` settles what is unfinished "
        '(engine: cannot tag "sutra-api:1": disk is read-only)'
    )
    assert journal.JOURNAL.exists()
    assert engine.tags != before
    return before


def test_when_the_way_back_fails_too_the_next_command_takes_it(
    built: tuple[FakeEngine, str], capfd: pytest.CaptureFixture[str]
) -> None:
    engine, _ = built
    before = left_half_way(engine)
    engine.tags["sutra-api:prod"] = before["sutra-api:prod"]
    capfd.readouterr()
    assert go(engine, DRY_RUN="1") == 0
    line = capfd.readouterr().err.splitlines()[1]
    assert re.fullmatch(
        r"\.build/promotion\.json: promote 2 \(\S+, \S+\) is unfinished; "
        "the next `make promote` or `make rollback` settles what is unfinished",
        line,
    )
    assert go(engine) == 0
    line = capfd.readouterr().err.splitlines()[1]
    assert re.fullmatch(
        r"\.build/promotion\.json: promote 2 \(\S+, \S+\) was interrupted, "
        "everything is as it was before it",
        line,
    )
    assert engine.tags == before
    assert not journal.JOURNAL.exists()


def test_what_cannot_be_taken_back_any_more_is_finished(
    built: tuple[FakeEngine, str], capfd: pytest.CaptureFixture[str]
) -> None:
    engine, _ = built
    before = left_half_way(engine)
    new = engine.tags["sutra-api:prod"]
    del engine.by_id[before["sutra-api:prod"]]  # somebody removed it by force
    engine.tags = {
        tag: identity for tag, identity in engine.tags.items() if identity in engine.by_id
    }
    capfd.readouterr()
    assert go(engine) == 0
    assert re.fullmatch(
        r"\.build/promotion\.json: promote 2 \(\S+, \S+\) could not be undone, "
        "so it was completed",
        capfd.readouterr().err.splitlines()[1],
    )
    assert [entry.version for entry in ledger.read()] == ["1.4.1", "1.4.2"]
    for tag in ("1.4.2", "1.4", "1", "latest"):
        assert engine.tags[f"sutra-api:{tag}"] == new


# ---- keeping ---------------------------------------------------------------


def test_images_are_kept_until_they_leave_the_last_promotions(
    built: tuple[FakeEngine, str], capfd: pytest.CaptureFixture[str]
) -> None:
    engine, first = built
    go(engine, KEEP="2")
    ids = [first]
    for content in ("a", "b"):
        ids.append(engine.add(image(content), "sutra-api:prod"))
        go(engine, KEEP="2")
    held = {identity for tag, identity in engine.tags.items() if tag.startswith("sutra-api:kept-")}
    assert held == set(ids[1:])
    assert f"no longer kept sutra-api:kept-{short(first)}" in capfd.readouterr().err
    assert f"sutra-base-python:kept-{short(engine.tags['sutra-base-python:prod'])}" in engine.tags


def test_a_dry_run_shows_what_would_no_longer_be_kept(
    built: tuple[FakeEngine, str], capfd: pytest.CaptureFixture[str]
) -> None:
    engine, first = built
    go(engine, KEEP="1")
    engine.add(image("a"), "sutra-api:prod")
    capfd.readouterr()
    go(engine, KEEP="1", DRY_RUN="1")
    rows = [line for line in capfd.readouterr().out.splitlines() if "kept-" in line]
    assert [row.split() for row in rows] == [
        ["│", f"sutra-api:kept-{short(first)}", "│", short(first), "│", "removed", "│"]
    ]
    assert tags.current(engine, f"sutra-api:kept-{short(first)}") == first


def test_a_version_is_never_promoted_untested() -> None:
    with pytest.raises(SutraError) as caught:
        Options.read({"VERSION": "1.4.2", "TESTS": "skip"})
    assert caught.value.message == (
        'VERSION: "1.4.2" needs the packages\' tests, and TESTS=skip leaves them out'
    )
    assert caught.value.tip == "leave out TESTS=skip"
