from __future__ import annotations

import ctypes.util
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sutra_cleanup import probe, sandbox

from tests.unit.cleanup.trees import SITE, library, make, needs_gcc, snapshot, venv
from tests.unit.fakes import program


@pytest.fixture
def python(tmp_path: Path) -> list[str]:
    """An interpreter with modules of every behaviour."""
    modules = {
        "fine.py": "",
        "raises.py": "raise ValueError('line one\\nline two')",
        "silent.py": "raise ValueError",
        "missing.py": "import nothing_of_that_name",
        "bad.py": "def",
        "leaves.py": "import os; os._exit(0)",
        "exits.py": "import sys; sys.exit(3)",
        "aborts.py": "import ctypes; ctypes.CDLL(None).abort()",
        "killed.py": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "interrupted.py": "raise KeyboardInterrupt",
        "prints.py": """
import os, sys
print('{"end": "fine", "said": "no"}')
sys.stderr.write("noise\\n")
os.write(1, b"raw \\xff\\n")
os.system("echo from a child")
""",
        "closes.py": "import os, sys; sys.stdout.close(); os.close(1)",
        "unprintable.py": """
class Odd(Exception):
    def __str__(self):
        raise RuntimeError("no text")
raise Odd
""",
        "threads.py": """
import threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
""",
        "reads.py": "import sys; assert sys.stdin.read() == ''",
        "slow.py": "import time; time.sleep(60)",
        "grüße.py": "raise ValueError('grüße')",
    }
    return [venv(tmp_path / "venv", modules)]


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("fine", ""),
        ("raises", "ValueError: line one"),
        ("silent", "ValueError: "),
        ("missing", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("no.such", "ModuleNotFoundError: No module named 'no'"),
        ("bad", "SyntaxError: invalid syntax (bad.py, line 1)"),
        ("leaves", "interpreter crashed with 0"),
        ("exits", "SystemExit: 3"),
        ("aborts", "interpreter crashed with -6"),
        ("killed", "interpreter crashed with -11"),
        ("interrupted", "KeyboardInterrupt: "),
        ("prints", ""),
        ("closes", ""),
        ("unprintable", "interpreter crashed with 1"),
        ("threads", ""),
        ("reads", ""),
        ("grüße", "ValueError: grüße"),
    ],
)
def test_each_module_says_how_it_loads(python: list[str], module: str, said: str) -> None:
    assert probe.imports(python, [module]) == {module: said}


def test_a_crash_does_not_keep_the_others_from_being_asked(python: list[str]) -> None:
    names = ["prints", "leaves", "fine", "killed", "aborts", "raises", "closes", "reads"]
    assert probe.imports(python, names) == {
        "prints": "",
        "leaves": "interpreter crashed with 0",
        "fine": "",
        "killed": "interpreter crashed with -11",
        "aborts": "interpreter crashed with -6",
        "raises": "ValueError: line one",
        "closes": "",
        "reads": "",
    }


def test_a_module_asked_twice_is_answered_once(python: list[str]) -> None:
    assert probe.imports(python, ["fine", "leaves", "fine", "leaves"]) == {
        "fine": "",
        "leaves": "interpreter crashed with 0",
    }


def test_nothing_asked_starts_nothing() -> None:
    assert probe.imports(["/nonexistent"], []) == {}


def test_nothing_is_written_beside_the_modules(python: list[str], tmp_path: Path) -> None:
    probe.imports(python, ["fine"])
    assert not list((tmp_path / "venv").rglob("__pycache__"))


def test_nothing_of_the_builder_leaks_in(
    python: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, {"path/leaked.py": ""})
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    answers = probe.imports(python, ["leaked"])
    assert answers == {"leaked": "ModuleNotFoundError: No module named 'leaked'"}


def test_an_interpreter_that_does_not_start_is_named_for_each(tmp_path: Path) -> None:
    broken = [str(program(tmp_path, "python", "exit 7\n"))]
    assert probe.imports(broken, ["a", "b"]) == {
        "a": "interpreter exited with 7",
        "b": "interpreter exited with 7",
    }


def test_a_module_that_never_ends_does_not_keep_the_others_from_being_asked(
    python: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "SECONDS", 1)
    answers = probe.imports(python, ["slow", "fine"])
    assert (answers["slow"] != "", answers["fine"]) == (True, "")


@pytest.mark.parametrize(("architecture", "seconds"), [("", 60), ("arm64", 600)])
def test_programs_in_an_emulator_are_waited_for_longer(
    monkeypatch: pytest.MonkeyPatch, architecture: str, seconds: int
) -> None:
    """A builder for another architecture has the variable: base-images/python-dev.Dockerfile."""
    monkeypatch.setenv("SUTRA_CROSS", architecture)
    waited: list[float] = []

    def answers(process: object, silence: float) -> Iterator[bytes]:
        waited.append(silence)
        return iter([b'{"start": "a"}'])

    monkeypatch.setattr(sandbox, "lines", answers)
    monkeypatch.setattr(sandbox, "is_over", lambda process: False)
    assert probe.imports([sys.executable], ["a"]) == {"a": f"no answer in {seconds} s"}
    assert waited == [seconds]


# ---- modules that do more than to be imported --------------------------------

SERVES = "import socketserver as s; s.TCPServer(('127.0.0.1', 0), None).serve_forever()"
FORKS = "import os, time\nif not os.fork(): time.sleep(600)\n"
DETACHES = "import os, time\nif not os.fork():\n    os.setsid()\n    time.sleep(600)\n"
STARTS = "import subprocess as s; s.Popen(['sleep', '600'], start_new_session=True)"
FORKS_AND_RETURNS = "import os; os.fork()"
JUNK = """
import os
for number in range(3, 9):
    try:
        os.write(number, b'{}\\n[1]\\njunk\\n')
    except OSError:
        pass
"""
CLOSES_ALL = "import os; os.closerange(3, 99)"


def running(mark: str) -> list[str]:
    """Return the processes that a proof started and that are still there."""
    names = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            environment = (place / "environ").read_bytes()
            is_over = ") Z " in (place / "stat").read_text()
        except OSError:
            continue
        if mark.encode() in environment and not is_over:
            names.append(place.name)
    return names


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (SERVES, "no answer in 3 s"),
        (FORKS, ""),
        (DETACHES, ""),
        (STARTS, ""),
        (FORKS_AND_RETURNS, ""),
        (JUNK, ""),
        (JUNK.replace("[1]", '{"done": true}'), "interpreter crashed with 0"),
        (CLOSES_ALL, "interpreter crashed with 1"),
        ("import sys; input()", "EOFError: EOF when reading a line"),
    ],
)
def test_a_module_that_does_more_neither_hangs_nor_leaves_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, said: str
) -> None:
    monkeypatch.setattr(probe, "SECONDS", 3)
    mark = f"SUTRA_TEST_{uuid.uuid4().hex}"
    monkeypatch.setattr(sandbox, "MARK", mark)
    python = [venv(tmp_path / "venv", {"odd.py": source, "odd2.py": ""})]
    assert probe.imports(python, ["odd", "odd2"]) == {"odd": said, "odd2": ""}
    assert running(f"{mark}=") == []


def test_what_a_module_writes_is_refused_or_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    inside = "import pathlib; pathlib.Path(__file__).with_name('cache').write_text('x')"
    folder = "import os; os.mkdir('made')"
    removes = "import os; os.remove(__file__)"
    home = "import pathlib, tempfile as t\n(pathlib.Path.home() / 'x').touch(); t.mkstemp()\n"
    modules = {"inside.py": inside, "folder.py": folder, "removes.py": removes, "home.py": home}
    python = [venv(tmp_path / "venv", modules)]
    before = snapshot(tmp_path)
    answers = probe.imports(python, ["inside", "folder", "removes", "home"])
    site = tmp_path / "venv" / SITE
    refused = "PermissionError: [Errno 13] the proof writes nothing there"
    assert answers == {
        "inside": f"{refused}: '{site}/cache'",
        "folder": f"{refused}: '{tmp_path}/made'",
        "removes": f"{refused}: '{site}/removes.py'",
        "home": "",
    }
    assert snapshot(tmp_path) == before


def test_of_a_package_that_hangs_twice_the_rest_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "SECONDS", 1)
    hangs = "import time; time.sleep(600)"
    modules = {f"slow/{name}.py": hangs for name in "abcd"}
    python = [venv(tmp_path / "venv", {"slow/__init__.py": "", "fine.py": "", **modules})]
    assert probe.imports(python, ["slow.a", "slow.b", "slow.c", "slow.d", "fine"]) == {
        "slow.a": "no answer in 1 s",
        "slow.b": "no answer in 1 s",
        "slow.c": 'not asked: "slow" gave no answer 2 times',
        "slow.d": 'not asked: "slow" gave no answer 2 times',
        "fine": "",
    }


def test_entry_points_are_loaded_as_metadata_names_them(tmp_path: Path) -> None:
    python = [venv(tmp_path / "venv", {"one.py": "class C:\n    x = 1\n"})]
    assert probe.entry_points(python, ["one:C.x", "one", "one:C [extra]", "one:D", "two:x"]) == {
        "one:C.x": "",
        "one": "",
        "one:C [extra]": "",
        "one:D": "AttributeError: module 'one' has no attribute 'D'",
        "two:x": "ModuleNotFoundError: No module named 'two'",
    }


# ---- libraries -------------------------------------------------------------


def test_a_file_that_is_not_a_library_says_why(tmp_path: Path) -> None:
    make(tmp_path, {"junk.so": "junk"})
    junk, none = f"{tmp_path}/junk.so", f"{tmp_path}/none.so"
    assert probe.loads([sys.executable], [junk, none]) == {
        junk: f"OSError: {junk}: file too short",
        none: f"OSError: {none}: cannot open shared object file: No such file or directory",
    }


def test_a_library_of_the_system_loads() -> None:
    name = ctypes.util.find_library("c")
    assert name is not None
    assert probe.loads([sys.executable], [name]) == {name: ""}


@needs_gcc
def test_libraries_load_by_any_name(tmp_path: Path) -> None:
    paths = [
        os.fspath(library(tmp_path / name)) for name in ("a.so", "line\nbreak.so", "\udcff.so")
    ]
    assert probe.loads([sys.executable], paths) == dict.fromkeys(paths, "")


@needs_gcc
def test_a_library_that_crashes_does_not_keep_the_others_from_being_asked(tmp_path: Path) -> None:
    crash = "#include <stdlib.h>\n__attribute__((constructor)) void no(void) { abort(); }"
    bad, good = f"{library(tmp_path / 'bad.so', crash)}", f"{library(tmp_path / 'good.so')}"
    assert probe.loads([sys.executable], [bad, good]) == {
        bad: "interpreter crashed with -6",
        good: "",
    }


@needs_gcc
def test_a_missing_symbol_is_named(tmp_path: Path) -> None:
    source = "extern int nowhere(void); int (*call)(void) = nowhere;"
    path = f"{library(tmp_path / 'a.so', source)}"
    assert probe.loads([sys.executable], [path]) == {
        path: f"OSError: {path}: undefined symbol: nowhere"
    }
