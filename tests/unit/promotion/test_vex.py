"""The statements of vex.yaml: derived from real images at each promotion, all kept or none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.checks import gate
from scripts.common.errors import SutraError
from scripts.history import journal, ledger
from scripts.promotion import promote, rollback, transaction, vex
from scripts.promotion.options import Options
from tests.support import sizes_only
from tests.support.fixture_images import Files, layer, pyc
from tests.support.good_image import SITE, good
from tests.unit.fakes import FakeEngine, FakeImage, tar_of
from tests.unit.sbom.test_vex import MANIFEST, REPORT

BUDGET = "budget: {installed: 6 MB, download: 2 MB}"
CATALOG = f"""\
release: {{{BUDGET}}}
images:
  sutra-base-python: {{{BUDGET}, not_promoted_because: builders start from it}}
  sutra-api: {{{BUDGET}}}
"""
ONE = '  - {image: sutra-api, cve: CVE-2026-1234, purl: "pkg:pypi/one@1.0", part: one/odr/}\n'
TWO = '  - {image: sutra-api, cve: CVE-2026-9999, purl: "pkg:pypi/one@1.0", part: one/sent.py}\n'
DOCUMENT = "sutra-api.openvex.json"


@pytest.fixture(autouse=True)
def _sizes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "everything", sizes_only.everything)


def build(engine: FakeEngine, files: Files | None = None) -> str:
    """Build sutra-api with what its cleanup left, and with these files."""
    report = json.dumps(REPORT)
    subject = good({"usr/share/sutra/cleanup.json": report, **(files or {})})
    labels = subject.config["Labels"]
    return engine.add(FakeImage([layer(content) for content in subject.layers], labels=labels), API)


API = "sutra-api:prod"


@pytest.fixture
def built(engine: FakeEngine, folder: Path) -> FakeEngine:
    (folder / "images.yaml").write_text(CATALOG)
    manifest = folder / "packages/sutra-api/cleanup.yaml"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(MANIFEST)
    (folder / "vex.yaml").write_text(f"statements:\n{ONE}{TWO}")
    engine.add(FakeImage([tar_of({"file": b"1"})]), "sutra-base-python:prod")
    build(engine)
    return engine


def go(engine: FakeEngine, **knobs: str) -> int:
    client: Any = engine
    return promote.verify_and_promote(client, Options.read({"ALLOW_DIRTY": "1", **knobs}))


def stated(number: int) -> dict[str, str]:
    """Return the vulnerabilities that a promotion's document names, with their image."""
    path = vex.FOLDER / str(number) / DOCUMENT
    statements = json.loads(path.read_text())["statements"]
    return {
        statement["vulnerability"]["name"]: statement["products"][0]["@id"]
        for statement in statements
    }


def kept() -> list[str]:
    return sorted(str(path.relative_to(vex.FOLDER)) for path in vex.FOLDER.rglob("*.json"))


def test_a_promotion_states_what_its_images_show(built: FakeEngine) -> None:
    assert go(built) == 0
    identity = built.tags[API].removeprefix("sha256:")
    product = f"pkg:oci/sutra-api@sha256%3A{identity}"
    assert stated(1) == {"CVE-2026-1234": product, "CVE-2026-9999": product}


def test_each_promotion_derives_them_again(built: FakeEngine) -> None:
    go(built)
    other = build(built, {f"{SITE}/one/new.pyc": pyc()})
    assert go(built) == 0
    assert kept() == [f"1/{DOCUMENT}", f"2/{DOCUMENT}"]
    assert set(stated(2).values()) == {f"pkg:oci/sutra-api@sha256%3A{other[7:]}"}
    assert set(stated(1).values()) != set(stated(2).values())


EXPLAIN = "`make explain IMAGE=sutra-api FILE={}` says more\n"


def fell(problem: str, explain: str) -> str:
    return (
        f"vex.yaml: {problem}\n"
        f"tip: take it out of vex.yaml, or bring the rule back; {EXPLAIN.format(explain)}"
    )


def refused(engine: FakeEngine, capfd: pytest.CaptureFixture[str]) -> str:
    """Return the last lines of a promotion that fails and leaves everything as it was."""
    before, documents, entries = dict(engine.tags), kept(), ledger.read()
    capfd.readouterr()
    assert go(engine) == 1
    assert (engine.tags, kept(), ledger.read()) == (before, documents, entries)
    assert not journal.JOURNAL.exists()
    lines = capfd.readouterr().err.splitlines(keepends=True)
    assert any(line.startswith("not moved sutra-api:latest: ") for line in lines)
    return "".join(lines[-2:])


def test_a_statement_whose_rule_is_gone_fails_the_promotion(
    built: FakeEngine, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    go(built)
    manifest = folder / "packages/sutra-api/cleanup.yaml"
    manifest.write_text(MANIFEST.replace(", one/sent.py", ""))
    build(built, {f"{SITE}/one/new.pyc": pyc()})
    problem = 'statements[1].part: sutra-api: no rule removes "one/sent.py"'
    assert refused(built, capfd) == fell(problem, "one/sent.py")
    manifest.write_text(MANIFEST)
    assert go(built) == 0
    assert len(stated(2)) == 2


def test_a_part_that_is_in_the_image_again_fails_the_promotion(
    built: FakeEngine, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    go(built)
    build(built, {f"{SITE}/one/odr/models.pyc": pyc()})
    there = f'statements[0].part: sutra-api: the part is in the image "/{SITE}/one/odr/models.pyc"'
    assert refused(built, capfd) == fell(there, "one/odr/")
    (folder / "vex.yaml").write_text(f"statements:\n{TWO}")
    assert go(built) == 0
    assert set(stated(2)) == {"CVE-2026-9999"}


def test_another_version_of_the_component_fails_the_promotion(
    built: FakeEngine, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "vex.yaml").write_text(f"statements:\n{ONE.replace('one@1.0', 'one@0.9')}")
    assert refused(built, capfd) == (
        'vex.yaml: statements[0].purl: sutra-api: no such component "pkg:pypi/one@0.9"\n'
        "tip: take it out of vex.yaml, or bring the rule back; "
        "`make sbom IMAGE=sutra-api` lists them\n"
    )


def test_a_dry_run_says_it_and_keeps_nothing(
    built: FakeEngine, capfd: pytest.CaptureFixture[str]
) -> None:
    assert go(built, DRY_RUN="1") == 0
    assert kept() == []
    build(built, {f"{SITE}/one/odr/models.pyc": pyc()})
    assert go(built, DRY_RUN="1") == 1
    assert "vex.yaml: statements[0].part: " in capfd.readouterr().err


def test_a_promotion_that_is_taken_back_leaves_no_statement(built: FakeEngine) -> None:
    built.fail_tag = "sutra-api:latest"
    with pytest.raises(SutraError):
        go(built)
    assert not vex.FOLDER.parent.exists()
    go(built)
    build(built, {f"{SITE}/one/new.pyc": pyc()})
    built.fail_tag = "sutra-api:latest"
    with pytest.raises(SutraError):
        go(built)
    assert kept() == [f"1/{DOCUMENT}"]


def test_one_that_is_killed_leaves_none_or_all(
    built: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before its end, once before and once after its line is in the ledger."""
    client: Any = built

    class Killed(BaseException):
        pass

    def killed(*_: Any) -> None:
        raise Killed

    for last in ("_move_all", "_end"):
        with monkeypatch.context() as patch:
            patch.setattr(transaction, last, killed)
            patch.setattr(transaction, "_finished_after", lambda *_: False)
            with pytest.raises(Killed):
                go(built)
        assert kept() == [f"1/{DOCUMENT}"]
        with transaction.exclusive(client):
            pass
        assert kept() == ([] if last == "_move_all" else [f"1/{DOCUMENT}"])


def test_other_requests_about_the_same_images_are_stated_without_a_new_promotion(
    built: FakeEngine, folder: Path
) -> None:
    go(built)
    (folder / "vex.yaml").write_text(f"statements:\n{TWO}")
    assert go(built) == 0
    assert set(stated(1)) == {"CVE-2026-9999"}
    (folder / "vex.yaml").unlink()
    assert go(built) == 0
    assert (kept(), len(ledger.read())) == ([], 1)


def test_a_rollback_states_nothing_anew(built: FakeEngine) -> None:
    go(built)
    build(built, {f"{SITE}/one/new.pyc": pyc()})
    go(built)
    before = {path: (vex.FOLDER / path).read_bytes() for path in kept()}
    client: Any = built
    assert rollback.rollback(client, Options()) == 0
    assert {path: (vex.FOLDER / path).read_bytes() for path in kept()} == before
    assert ledger.read()[-1].of == 1


def test_a_wrong_file_stops_before_anything_moves(built: FakeEngine, folder: Path) -> None:
    (folder / "vex.yaml").write_text("statements: [{image: sutra-apy}]\n")
    with pytest.raises(SutraError) as caught:
        go(built)
    assert caught.value.message == "vex.yaml: statements[0].cve: missing"
    assert kept() == []
