"""`verify-contents` as people call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.__main__ import main as front_door
from scripts.checks.contents import verify as verify_contents
from scripts.checks.contents.rules import RULES
from scripts.commands.verify_contents import tip
from tests.support.good_image import NAME, good
from tests.unit.checks.contents.judging import exe, key, promise


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(verify_contents, "private_certificates", frozenset)
    return front_door(["verify-contents", *words])


def test_an_archive_is_judged_as_the_entry_without_an_engine(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    promise(folder)
    good().save(folder / "image.tar")
    form = ("--format", "markdown")
    assert command(monkeypatch, "archive:./image.tar", "--as", NAME, *form) == 0
    out, err = capsys.readouterr()
    assert out == (
        "| image | check | actual | limit | ok |\n"
        "|---|---|--:|--:|---|\n"
        f"| {NAME} | {len(RULES)} without findings | 0 | 0 | ok |\n"
    )
    assert err == "contents: archive:./image.tar\n"


def test_a_rule_that_is_broken_ends_with_1(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    promise(folder)
    good(exe("app/sh")).save(folder / "image.tar")
    assert command(monkeypatch, "image.tar", "--as", NAME, "--format", "json") == 1
    out, err = capsys.readouterr()
    assert [result["name"] for result in json.loads(out) if not result["ok"]] == ["contents.shells"]
    assert err == (
        f'contents: image.tar\n{key("shells")}forbidden "app/sh"\n'
        f"tip: .venv/bin/python -m scripts verify-contents image.tar --as {NAME} --all\n"
    )


def test_all_findings_are_printed_when_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    promise(folder)
    good({**exe("app/sh"), **exe("app/dash")}).save(folder / "an image.tar")
    assert command(monkeypatch, "an image.tar", "--as", NAME, "--all") == 1
    assert capsys.readouterr().err == (
        "contents: an image.tar\n"
        f'{key("shells")}forbidden "app/sh"\n'
        f'{key("shells")}forbidden "app/dash"\n'
        "tip: fix the image, or allow it in images.yaml with a reason: docs/verification.md\n"
    )
    assert tip(NAME, "an image.tar") == (
        f"tip: .venv/bin/python -m scripts verify-contents 'an image.tar' --as {NAME} --all"
    )


@pytest.mark.parametrize("words", [["x:y"], ["--as", NAME]])
def test_a_reference_and_a_name_go_together(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command(monkeypatch, *words)
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith("error: a reference and --as NAME go together\n")
