from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.bench import rebuilds
from scripts.common.errors import SutraError


def test_a_command_is_timed_in_seconds() -> None:
    assert 0.2 <= rebuilds.timed(["sleep", "0.2"], os.environ) < 20


def test_a_command_gets_its_environment_and_folder(tmp_path: Path) -> None:
    rebuilds.timed(["/bin/sh", "-c", 'echo "$KNOB" > made'], {"KNOB": "on"}, tmp_path)
    assert (tmp_path / "made").read_text() == "on\n"


def test_a_command_that_fails_is_shown_with_its_last_words() -> None:
    with pytest.raises(SutraError) as caught:
        rebuilds.timed([sys.executable, "-c", "raise SystemExit('x' * 600 + '\\ny')"], os.environ)
    assert caught.value.message == (
        f"bench: failed \"{sys.executable} -c raise SystemExit('x' * 600 + '\\ny')\""
    )
    assert caught.value.tip == "x" * 497 + " | y"


def test_a_pair_is_run_alternately_and_its_medians_count() -> None:
    order = []
    firsts, seconds = iter([9.0, 1.0, 2.0, 3.0, 0.0]), iter([5.0, 5.0, 70.0, 6.0, 80.0])

    def first() -> float:
        order.append(1)
        return next(firsts)

    def second() -> float:
        order.append(2)
        return next(seconds)

    assert rebuilds.pair(first, second) == (2.0, 6.0)
    assert order == [1, 2] * 5


def test_a_checkout_holds_what_git_knows_as_it_is_now(folder: Path) -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    for name in ("kept", "gone", "more/new", "ignored"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    (folder / ".gitignore").write_text("ignored\ncopy\n")
    subprocess.run(["git", "add", "kept", "gone"], check=True)
    (folder / "gone").unlink()
    (folder / "kept").write_text("changed")
    os.utime(folder / "kept", (1_000_000_000, 1_000_000_000))
    copy = folder / "copy"
    copy.mkdir()
    rebuilds.checkout(copy)
    files = {str(file.relative_to(copy)) for file in copy.rglob("*") if file.is_file()}
    assert files == {".gitignore", "kept", "more/new"}
    assert (copy / "kept").read_text() == "changed"
    assert (copy / "kept").stat().st_mtime == 1_000_000_000


def test_each_pair_is_one_row_with_its_ratio(
    capfd: pytest.CaptureFixture[str],
) -> None:
    rebuilds.show([("make prod", 1.5, "docker buildx bake prod", 1.2)])
    assert capfd.readouterr() == (
        "                            medians of 5                             \n"
        "┏━━━━━━━━━━━┳━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━┳━━━━━━━┓\n"
        "┃ what      ┃ median s ┃ against                 ┃ median s ┃ ratio ┃\n"
        "┡━━━━━━━━━━━╇━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━╇━━━━━━━┩\n"
        "│ make prod │ 1.50     │ docker buildx bake prod │ 1.20     │ 1.25× │\n"
        "└───────────┴──────────┴─────────────────────────┴──────────┴───────┘\n",
        "",
    )
