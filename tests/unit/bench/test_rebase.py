"""The bench of `make rebase`: its planted breaks fit this checkout, and its figures are shown."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts.bench import rebase
from tests.conftest import ROOT
from tests.unit.fakes import FakeEngine, run_git
from tests.unit.promotion.test_promote import image


@pytest.mark.parametrize("what", rebase.PLANTED)
def test_a_break_is_planted_in_one_place(what: str) -> None:
    file, text, planted, _ = rebase.PLANTED[what]
    whole = (ROOT / file).read_text()
    assert whole.count(text) == 1
    assert planted not in whole
    if file.endswith(".sh"):
        changed = whole.replace(text, planted)
        assert subprocess.run(["sh", "-n"], input=changed, text=True, check=False).returncode == 0


def test_the_change_of_an_update_is_in_the_python_base() -> None:
    assert (ROOT / rebase.CHANGED).exists()


def test_the_copy_is_a_clean_checkout(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run_git("init")
    (folder / "file").write_text("kept")
    (folder / ".gitignore").write_text(".venv/\n.cache/\n")
    for name in (".venv", ".cache"):
        (folder / name).mkdir()
    copy = tmp_path_factory.mktemp("copy")
    rebase.committed(copy)
    command = ["git", "status", "--porcelain"]
    assert subprocess.run(command, cwd=copy, capture_output=True, check=True).stdout == b""
    (copy / "file").write_text("changed")
    rebase.commit(copy)
    log = subprocess.run(["git", "log", "--format=%s"], cwd=copy, capture_output=True, check=True)
    assert log.stdout == b"as it is\nas it is\n"


def test_tags_go_back_where_they_were() -> None:
    engine = FakeEngine()
    engine.add(image("0"), "sutra-api:prod")
    before = dict(engine.tags)

    def interrupted(client: Any) -> None:
        with rebase.restored(client, ["sutra-api"]):
            engine.add(image("1"), "sutra-api:prod", "sutra-api:latest")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted(engine)
    assert engine.tags == before


def test_both_times_and_every_break_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    rebase.show(200.0, 50.0, {"a library gone": "sutra-api: not on this", "another user": ""})
    out = capsys.readouterr().out
    assert "make rebase" in out
    assert "0.25×" in out
    assert out.endswith("a library gone: sutra-api: not on this\nanother user: NOT NAMED\n")
