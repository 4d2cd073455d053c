"""A program that a bench needs and does not find is one line, wherever the bench starts it."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path

import pytest

from scripts.__main__ import main as front_door
from scripts.bench import backends, programs, readers, rebuilds
from scripts.common.errors import SutraError, run
from tests.conftest import ROOT
from tests.engines import cache, cache_bench
from tests.unit.fakes import program


def test_a_development_tool_is_beside_this_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(SutraError) as caught:
        programs.development_tool("dive")
    assert caught.value.message == f'bench: needs dive, which is not in "{tmp_path}"'
    assert caught.value.tip == "run `make venv-dev`"
    program(tmp_path, "dive", "exit 0\n")
    assert programs.development_tool("dive") == str(tmp_path / "dive")


@pytest.mark.parametrize("name", ["dive", "container-structure-test"])
def test_readers_without_a_development_tool_end_in_one_line_and_2(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for other in {"dive", "container-structure-test"} - {name}:
        program(tmp_path, other, "exit 0\n")
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(readers, "_ours", lambda images: 1.0)
    with pytest.raises(SystemExit) as ended:
        run(lambda: front_door(["bench", "readers"]))
    assert ended.value.code == 2
    problem = f'bench: needs {name}, which is not in "{tmp_path}"'
    assert capsys.readouterr() == ("", f"{problem}\ntip: run `make venv-dev`\n")


def test_a_program_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SutraError) as caught:
        rebuilds.timed(["make", "prod"], os.environ)
    assert caught.value.message == 'bench: "make" does not run: No such file or directory'
    assert caught.value.tip == "install it, or repair what `command -v make` names"


def test_a_script_that_may_not_run_is_named(folder: Path) -> None:
    (folder / "scripts").mkdir()
    (folder / "scripts/postgres.sh").write_text("exit 0\n")
    with pytest.raises(SutraError) as caught:
        backends.figures()
    assert caught.value.message == 'bench: "scripts/postgres.sh" does not run: Permission denied'


def test_a_program_s_exit_code_and_output_are_the_caller_s(tmp_path: Path) -> None:
    command = ["/bin/sh", "-c", 'echo "$KNOB in $PWD"; cat; echo no >&2; exit 3']
    done = programs.run(command, {"KNOB": "on"}, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (3, f"on in {tmp_path}\n", "no\n")


def test_errors_are_shown_where_a_person_waits(capfd: pytest.CaptureFixture[str]) -> None:
    done = programs.run(["/bin/sh", "-c", "echo out; echo compiling >&2"], shows_errors=True)
    assert done.stdout == "out\n"
    assert capfd.readouterr() == ("", "compiling\n")


def test_no_bench_starts_a_program_by_itself() -> None:
    # those of `inside` run in containers, where this module is not
    starters = {
        file.name
        for file in (ROOT / "scripts/bench").glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Import) and "subprocess" in [alias.name for alias in node.names]
    }
    assert starters == {"programs.py"}


def test_the_bench_of_caches_names_a_go_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SutraError) as caught:
        cache_bench.program()
    assert caught.value.message == "bench: needs go, which is not on PATH"
    assert caught.value.tip == "install Go: Debian's package is golang-go"


def test_a_package_that_cannot_be_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "scripts", "install.sh", "exit 2\n")
    monkeypatch.setattr(cache, "ROOT", tmp_path)
    with pytest.raises(SutraError) as caught:
        cache.program("sutra-no-such-program")
    assert caught.value.message == "tests: needs sutra-no-such-program, which is not on PATH"
    assert caught.value.tip == "the lines above say more"
