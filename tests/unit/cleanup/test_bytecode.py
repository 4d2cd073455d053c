from __future__ import annotations

import importlib.util
import json
import marshal
import subprocess
import sys
from pathlib import Path
from types import CodeType

import pytest
from sutra_cleanup import manifest, tree
from sutra_cleanup.bytecode import Compiled, compile_tree, require_same
from sutra_cleanup.errors import CleanupError
from sutra_cleanup.trash import Trash

from tests.unit.cleanup.trees import SITE, Link, files, make, snapshot, venv
from tests.unit.fakes import program

TAG = sys.implementation.cache_tag
SOURCES = {"m.py": "def f():\n    def g(): pass\n    return g\n", "p/__init__.py": "X = 1\n"}


def compiled(root: Path, text: str, shown_as: str = "/opt/x") -> Compiled:
    (root.parent / "cleanup.yaml").write_text(text)
    plan = tree.plan(root, manifest.load(root.parent / "cleanup.yaml"))
    with Trash(root) as trash:
        return compile_tree(plan, trash, shown_as)


def code_of(file: Path) -> CodeType:
    code = marshal.loads(file.read_bytes()[16:])  # noqa: S302 - made a moment ago
    assert isinstance(code, CodeType)
    return code


def names_in(code: CodeType) -> set[str]:
    inner = (names_in(const) for const in code.co_consts if isinstance(const, CodeType))
    return {code.co_filename}.union(*inner)


# ---- the three modes -------------------------------------------------------


def test_source_makes_no_bytecode(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", SOURCES)
    before = snapshot(root)
    assert compiled(root, "bytecode: {default: source}") == Compiled(source=2)
    assert snapshot(root) == before


def test_cached_puts_bytecode_beside_the_sources(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", SOURCES)
    assert compiled(root, "bytecode: {default: cached}") == Compiled(cached=2)
    assert files(root) == [
        f"__pycache__/m.{TAG}.pyc",
        "m.py",
        "p/__init__.py",
        f"p/__pycache__/__init__.{TAG}.pyc",
    ]


def test_sourceless_puts_bytecode_where_the_source_was(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", SOURCES)
    assert compiled(root, "bytecode: {default: sourceless}") == Compiled(sourceless=2)
    assert files(root) == ["m.pyc", "p/__init__.pyc"]


@pytest.mark.parametrize("mode", ["source", "cached", "sourceless"])
def test_modules_load_in_every_mode(tmp_path: Path, mode: str) -> None:
    root = make(tmp_path / "tree", SOURCES)
    compiled(root, f"bytecode: {{default: {mode}}}")
    ask = "import m, p; print(m.f()().__class__, p.X)"
    done = subprocess.run(
        [sys.executable, "-S", "-B", "-c", ask], cwd=root, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("<class 'NoneType'> 1\n", "")


@pytest.mark.parametrize(
    ("mode", "compiled_to"),
    [("cached", f"p/__pycache__/__init__.{TAG}.pyc"), ("sourceless", "p/__init__.pyc")],
)
def test_bytecode_is_never_checked_against_its_source(
    tmp_path: Path, mode: str, compiled_to: str
) -> None:
    root = make(tmp_path / "tree", SOURCES)
    compiled(root, f"bytecode: {{default: {mode}}}")
    header = (root / compiled_to).read_bytes()[:16]
    assert header[:4] == importlib.util.MAGIC_NUMBER
    assert header[4:8] == bytes([0b01, 0, 0, 0])  # PEP 552: by hash, not checked
    assert header[8:] == importlib.util.source_hash(SOURCES["p/__init__.py"].encode())


@pytest.mark.parametrize(
    ("mode", "compiled_to"), [("cached", f"__pycache__/m.{TAG}.pyc"), ("sourceless", "m.pyc")]
)
def test_bytecode_names_the_final_path_and_not_the_builders(
    tmp_path: Path, mode: str, compiled_to: str
) -> None:
    root = make(tmp_path / "tree", SOURCES)
    compiled(root, f"bytecode: {{default: {mode}}}", "/usr/lib/python3")
    assert names_in(code_of(root / compiled_to)) == {"/usr/lib/python3/m.py"}
    assert str(tmp_path).encode() not in (root / compiled_to).read_bytes()


def test_bytecode_is_the_same_in_every_run(tmp_path: Path) -> None:
    snapshots = []
    for name in ("one", "two"):
        root = make(tmp_path / name / "tree", SOURCES)
        compiled(root, "bytecode: {default: sourceless}")
        snapshots.append(snapshot(root))
    assert snapshots[0] == snapshots[1]


# ---- what is not compiled --------------------------------------------------

BROKEN: dict[str, str | bytes | Link] = {
    "template.py": "def {{ name }}(): pass\n",
    "old.py": "print 'Python 2'\n",
    "null.py": "a = '\0'\n",
    "latin.py": b"a = '\xe9'\n",
    "deep.py": "(" * 1000 + ")" * 1000,
}


@pytest.mark.parametrize("mode", ["cached", "sourceless"])
@pytest.mark.parametrize("name", BROKEN)
def test_a_source_that_does_not_compile_stays_and_is_named(
    tmp_path: Path, mode: str, name: str
) -> None:
    root = make(tmp_path / "tree", {name: BROKEN[name]})
    before = snapshot(root)
    counts = compiled(root, f"bytecode: {{default: {mode}}}")
    assert counts == Compiled(source=1, refused=(name,))
    assert snapshot(root) == before


def test_links_stay_links(tmp_path: Path) -> None:
    make(tmp_path, {"outside.py": "X = 1\n"})
    root = make(tmp_path / "tree", {"a.py": Link("../outside.py"), "b.py": Link("nowhere")})
    before = snapshot(tmp_path)
    assert compiled(root, "bytecode: {default: sourceless}") == Compiled(source=2)
    (tmp_path / "cleanup.yaml").unlink()
    assert snapshot(tmp_path) == before


def test_what_leaves_is_not_compiled(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", {"tests/a.py": "", "b.py": "", "c.txt": ""})
    rules = "bytecode: {default: sourceless}\nrules: {tests: {why: a, remove: [tests/]}}"
    assert compiled(root, rules) == Compiled(sourceless=1)
    assert files(root) == ["b.pyc", "c.txt", "tests/a.py"]


def test_odd_names_are_compiled(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", {"line\nbreak.py": "", "raw\udcff.py": "", " .py": ""})
    assert compiled(root, "bytecode: {default: sourceless}") == Compiled(sourceless=3)
    assert files(root) == [" .pyc", "line\nbreak.pyc", "raw\udcff.pyc"]


@pytest.mark.parametrize("content", [Link("../outside"), Link("nowhere")])
def test_a_link_where_bytecode_would_go_is_not_followed(tmp_path: Path, content: Link) -> None:
    make(tmp_path, {"outside": "precious"})
    root = make(tmp_path / "tree", {"a.py": "", "a.pyc": content, "b.py": ""})
    counts = compiled(root, "bytecode: {default: sourceless}")
    assert (counts.sourceless, counts.refused) == (1, ("a.py",))
    assert (tmp_path / "outside").read_text() == "precious"


def test_each_glob_has_its_own_mode(tmp_path: Path) -> None:
    root = make(
        tmp_path / "tree",
        {"app/a.py": "", "app/keep.py": "", "numba/a.py": "", "other/a.py": "", "other/b.py": "("},
    )
    text = "bytecode: {default: sourceless, source: [keep.py, numba/], cached: [app/]}"
    counts = compiled(root, text)
    assert counts == Compiled(cached=1, sourceless=1, source=3, refused=("other/b.py",))
    assert files(root) == [
        f"app/__pycache__/a.{TAG}.pyc",
        "app/a.py",
        "app/keep.py",
        "numba/a.py",
        "other/a.pyc",
        "other/b.py",
    ]


# ---- docstrings ------------------------------------------------------------

DOCUMENTED = '''"""Of the module."""
from __future__ import annotations

def alone():
    """Of a function with no body."""

async def two():
    """The first."""
    """A text that is not a docstring."""
    return 1

class Thing:
    """Of a class."""
    text = """kept: a value"""

    def method(self):
        f"""no docstring: {self}"""
        assert self is None, "assertions stay"

lone = lambda: """kept: returned"""
'''
ASK = """import m, json
docs = [each.__doc__ for each in (m, m.alone, m.two, m.Thing, m.Thing.method)]
try:
    m.Thing().method()
except AssertionError as error:
    docs.append(str(error))
print(json.dumps([*docs, m.Thing.text, m.lone(), m.alone()]))
"""
VALUES = ["assertions stay", "kept: a value", "kept: returned", None]


@pytest.mark.parametrize(
    ("said", "docs", "count"),
    [
        ("drop", [None] * 5, 1),
        (
            "keep",
            ["Of the module.", "Of a function with no body.", "The first.", "Of a class.", None],
            0,
        ),
    ],
)
def test_docstrings_and_nothing_else_are_dropped(
    tmp_path: Path, said: str, docs: list[str | None], count: int
) -> None:
    root = make(tmp_path / "tree", {"m.py": DOCUMENTED})
    text = f"bytecode: {{default: sourceless}}\ndocstrings: {{default: {said}}}"
    assert compiled(root, text) == Compiled(sourceless=1, without_docstrings=count)
    done = subprocess.run(
        [sys.executable, "-S", "-B", "-c", ASK], cwd=root, capture_output=True, text=True
    )
    assert (json.loads(done.stdout), done.stderr) == (docs + VALUES, "")


def test_dropped_docstrings_are_not_in_the_file(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", {"m.py": DOCUMENTED})
    compiled(root, "bytecode: {default: sourceless}\ndocstrings: {default: drop}")
    content = (root / "m.pyc").read_bytes()
    assert [b"Of a class" in content, b"kept: a value" in content] == [False, True]


def test_lines_of_tracebacks_stay_right_without_docstrings(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", {"m.py": DOCUMENTED})
    compiled(root, "bytecode: {default: sourceless}\ndocstrings: {default: drop}")
    ask = "import m; m.Thing().method()"
    done = subprocess.run(
        [sys.executable, "-S", "-B", "-c", ask], cwd=root, capture_output=True, text=True
    )
    line = DOCUMENTED.splitlines().index('        assert self is None, "assertions stay"') + 1
    assert f'File "/opt/x/m.py", line {line}, in method' in done.stderr


# ---- columns ----------------------------------------------------------------

FAILS = "def f(a):\n    return (a +\n            1 / 0)\n"


@pytest.mark.parametrize(
    ("mode", "compiled_to", "has_columns"),
    [("cached", f"__pycache__/m.{TAG}.pyc", True), ("sourceless", "m.pyc", False)],
)
def test_columns_stay_where_the_source_does(
    tmp_path: Path, mode: str, compiled_to: str, has_columns: bool
) -> None:
    root = make(tmp_path / "tree", {"m.py": FAILS})
    compiled(root, f"bytecode: {{default: {mode}}}")
    code = code_of(root / compiled_to)
    inner = next(constant for constant in code.co_consts if isinstance(constant, CodeType))
    for part in (code, inner):
        columns = {column for *_, column, end in part.co_positions() for column in (column, end)}
        assert (columns != {None}) == has_columns


def test_a_traceback_says_the_line_of_a_module_without_columns(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", {"m.py": FAILS})
    compiled(root, "bytecode: {default: sourceless}")
    done = subprocess.run(
        [sys.executable, "-S", "-B", "-c", "import m; m.f(1)"],
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert done.stderr.splitlines()[-2:] == [
        '  File "/opt/x/m.py", line 3, in f',
        "ZeroDivisionError: division by zero",
    ]


# ---- taken back ------------------------------------------------------------


@pytest.mark.parametrize("mode", ["cached", "sourceless"])
@pytest.mark.parametrize("more", [{}, {"m.pyc": "old"}, {f"__pycache__/m.{TAG}.pyc": "old"}])
def test_bytecode_can_be_taken_back(tmp_path: Path, mode: str, more: dict[str, str]) -> None:
    root = make(tmp_path / "tree", {**SOURCES, **more})
    before = snapshot(root)
    (tmp_path / "cleanup.yaml").write_text(f"bytecode: {{default: {mode}}}")
    plan = tree.plan(root, manifest.load(tmp_path / "cleanup.yaml"))
    with Trash(root) as trash:
        compile_tree(plan, trash, "/opt/x")
        trash.put_all_back()
    assert snapshot(root) == before


# ---- the interpreter -------------------------------------------------------


def test_the_same_interpreter_is_accepted() -> None:
    require_same([sys.executable])
    require_same(["/usr/bin/env", sys.executable])


@pytest.mark.parametrize("script", ["printf a70d0d0a\n", "exit 1\n", "echo 'no python' >&2\n"])
def test_another_interpreter_is_refused(tmp_path: Path, script: str) -> None:
    fake = str(program(tmp_path, "python", script))
    if script.startswith("printf") and importlib.util.MAGIC_NUMBER.hex() == "a70d0d0a":
        fake = str(program(tmp_path, "python", "printf 00000000\n"))
    with pytest.raises(CleanupError) as caught:
        require_same([fake, "-I"])
    assert caught.value.message == f'python: bytecode of another version "{fake} -I"'
    assert caught.value.tip == "run the cleanup with the version that the image has"
    assert caught.value.exit_code == 2


def test_asking_the_interpreter_writes_nothing_into_the_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    root = tmp_path / "tree"
    python = venv(root, {"hook.pth": "import hook\n", "hook.py": ""})
    before = snapshot(root)
    require_same([python])
    assert sorted(snapshot(root)) == sorted(before)
    assert f"{SITE}/hook.py" in before
