"""The front door: its list of commands, and what it does with a wrong one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts import __main__ as front_door
from tests.conftest import ROOT

MODULES = {file.stem.replace("_", "-") for file in (ROOT / "scripts/commands").glob("[a-z]*.py")}


def test_every_module_of_commands_is_a_command() -> None:
    assert set(front_door.COMMANDS) == MODULES


@pytest.mark.parametrize("words", [[], ["-h"], ["--help"]])
def test_the_usage_lists_every_command_with_what_it_does(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert front_door.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("  ")] == [
        f"  {name:16}{what}" for name, what in front_door.COMMANDS.items()
    ]


def test_an_unknown_command_is_one_line_and_a_tip(capsys: pytest.CaptureFixture[str]) -> None:
    assert front_door.main(["verfy"]) == 2
    assert capsys.readouterr().err == (
        'python -m scripts: unknown command "verfy"\ntip: python -m scripts --help lists them\n'
    )


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_command_describes_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        front_door.main([name, "--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: python -m scripts {name} ")
    assert "show this help message and exit" in out


@pytest.mark.parametrize("name", sorted(MODULES))
def test_an_argument_that_a_command_does_not_have_is_a_wrong_call(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        front_door.main([name, "--no-such-argument"])
    assert ended.value.code == 2
    assert f"python -m scripts {name}: error: " in capsys.readouterr().err


def test_the_commands_of_bench_are_its_modules() -> None:
    from scripts.commands.bench import SUBJECTS

    files = Path(ROOT / "scripts/bench").glob("[a-z]*.py")
    of_a_subject = re.compile(r"^def main\(\w+: argparse\.Namespace", re.MULTILINE)
    programs = {file.stem for file in files if of_a_subject.search(file.read_text())}
    assert set(SUBJECTS) == programs
