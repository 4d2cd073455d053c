from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sutra_cleanup import blame, manifest, questions, tree
from sutra_cleanup.__main__ import clean
from sutra_cleanup.errors import CleanupError
from sutra_cleanup.trash import Trash
from sutra_cleanup.tree import Plan

from tests.unit.cleanup.trees import (
    SITE,
    distribution,
    files,
    library,
    make,
    needs_gcc,
    snapshot,
    venv,
)
from tests.unit.fakes import program

ONE = distribution(
    "one",
    {
        "one/__init__.py": "import one.testing.helper\n",
        "one/testing/__init__.py": "",
        "one/testing/helper.py": "",
        "one/tests/__init__.py": "",
        "one/tests/test_a.py": "",
    },
)
TWO = distribution("two", {"two.py": "import json\n"})
KEEP = "add a keep glob for that file, or remove the rule"


def keep(path: str) -> str:
    """Return the tip for a file that a rule took."""
    return f'cleanup.yaml: rules: {{needed: {{why: …, keep: ["{path}"]}}}}'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    venv(tmp_path / "tree", {**ONE, **TWO})
    return tmp_path / "tree"


def planned(root: Path, text: str) -> Plan:
    (root.parent / "cleanup.yaml").write_text(text)
    return tree.plan(root, manifest.load(root.parent / "cleanup.yaml"))


def cleaned(root: Path, text: str) -> dict[str, object]:
    return clean(planned(root, text), [f"{root}/bin/python"], str(root))


def refused(root: Path, text: str) -> tuple[str, str, int]:
    """Clean, and return the error after it is shown that nothing was changed."""
    before = snapshot(root)
    with pytest.raises(CleanupError) as caught:
        cleaned(root, text)
    assert snapshot(root) == before
    assert sorted(path.name for path in root.parent.iterdir() if "cleanup-" in path.name) == []
    return caught.value.message, caught.value.tip, caught.value.exit_code


# ---- what is asked ---------------------------------------------------------


def test_the_modules_of_prove_come_first_then_every_top_level_one(tmp_path: Path) -> None:
    modules = {
        "a/__init__.py": "",
        "b/__init__.cpython-311-x86_64-linux-gnu.so": "",
        "c.py": "",
        "d.abi3.so": "",
        "e.pyc": "",
        "namespace/x.py": "",
        "f.txt": "",
        "two-words.py": "",
        "__editable__.py": "",
        "a/deep/__init__.py": "",
        "x-1.dist-info/METADATA": "",
        "g.pth": "",
        "__pycache__/c.cpython-311.pyc": "",
        "h/__init__.pyc": "",
    }
    venv(tmp_path / "tree", modules)
    make(tmp_path / "tree", {"lib/python3/other.py": "", "bin/tool.py": ""})
    plan = planned(tmp_path / "tree", "prove: {import: [c, z.y]}")
    assert questions.modules(plan) == [
        "c",
        "z.y",
        "a",
        "a.deep",
        "b",
        "d",
        "e",
        "h",
        "namespace.x",
    ]


def test_a_sound_tree_is_proven(root: Path) -> None:
    report = cleaned(
        root,
        """
rules: {tests: {why: a, remove: [tests/]}}
prove: {import: [one.testing.helper, json], run: [python, -c, import one]}
""",
    )
    assert report["proven"] == 5
    assert f"{SITE}/one/tests/test_a.py" not in files(root)


def test_what_failed_before_may_fail_afterwards(root: Path) -> None:
    make(root / SITE, {"windows.py": "import winreg\n", "windows.md": ""})
    report = cleaned(root, "rules: {docs: {why: a, remove: ['*.md']}}")
    assert report["proven"] == 6


def test_modules_and_entry_points_that_fail_share_a_visit_of_the_tree_as_it_was(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = {"three-1.0.dist-info/entry_points.txt": "[a]\nb = three:nowhere\n"}
    never = {"never.py": "raise RuntimeError\n", "never.md": ""}
    make(root / SITE, {**distribution("three", {"three.py": ""}), **points, **never})
    visits = []
    put_all_back = Trash.put_all_back

    def visit(trash: Trash) -> None:
        visits.append(trash)
        put_all_back(trash)

    monkeypatch.setattr(Trash, "put_all_back", visit)
    report = cleaned(root, "rules: {docs: {why: a, remove: ['*.md']}}")
    assert (report["proven"], report["entry_points"], report["broken"]) == (7, 0, ())
    assert len(visits) == 1


# ---- what must hold before -------------------------------------------------


def test_a_module_of_prove_that_fails_before_is_the_manifests_mistake(root: Path) -> None:
    assert refused(root, "prove: {import: [one, tow]}") == (
        'cleanup.yaml: prove.import: fails before the cleanup "tow": '
        "ModuleNotFoundError: No module named 'tow'",
        "install what it needs, or correct the name",
        2,
    )


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ("[python, -c, import tow]", "ModuleNotFoundError: No module named 'tow'"),
        ("[python, -c, raise SystemExit(4)]", "exit 4"),
        ("['false']", "exit 1"),
    ],
)
def test_a_command_of_prove_that_fails_before_is_the_manifests_mistake(
    root: Path, run: str, said: str
) -> None:
    assert refused(root, f"prove: {{run: {run}}}") == (
        f"cleanup.yaml: prove.run: fails before the cleanup: {said}",
        "correct the command",
        2,
    )


def test_a_command_of_prove_that_is_not_there_is_the_manifests_mistake(root: Path) -> None:
    message, tip, code = refused(root, "prove: {run: [no-such-command]}")
    assert message.startswith("cleanup.yaml: prove.run: fails before the cleanup: ")
    assert "no-such-command" in message
    assert (tip, code) == ("correct the command", 2)


def test_distributions_that_are_not_listed_before_are_refused(root: Path) -> None:
    """Otherwise the gate would compare two failures, and pass whatever is removed."""
    make(root / SITE, {"email.py": "raise OSError('no mail')\n"})
    plan = planned(root, "rules: {records: {why: a, remove: [METADATA]}}")
    script = f'PYTHONPATH="{root}/{SITE}" exec "{root}/bin/python" "$@"\n'
    python = program(root.parent, "failing", script)
    before = snapshot(root)
    with pytest.raises(CleanupError) as caught:
        clean(plan, [str(python)], str(root))
    assert (caught.value.message, caught.value.tip, caught.value.exit_code) == (
        "importlib.metadata: fails before the cleanup: OSError: no mail",
        "fix the metadata of the distribution that it names, or check --python",
        2,
    )
    assert snapshot(root) == before


# ---- who is guilty ---------------------------------------------------------


def test_the_rule_and_the_file_that_broke_a_module_are_named(root: Path) -> None:
    rules = """
rules:
  docs: {why: a, remove: ["*.md"]}
  tests: {why: a, remove: [tests/]}
  testing: {why: a, remove: [testing/]}
"""
    make(root / SITE, {"one/a.md": ""})
    broken = "ModuleNotFoundError: No module named 'one.testing'"
    refusal = refused(root, rules.replace("testing/", "testing/__init__.py, testing/helper.py"))
    path = f"{SITE}/one/testing/helper.py"
    assert refusal == (
        f'cleanup: broke "one": {broken}: by rule "testing" "{path}"',
        keep("one/testing/helper.py"),
        1,
    )


def test_one_guilty_file_among_many_is_found(root: Path) -> None:
    data = {f"one/data/{number}.dat": "" for number in range(40)}
    make(root / SITE, {**data, "one/__init__.py": "open(__file__[:-11] + 'data/23.dat').close()\n"})
    message, _, code = refused(root, "rules: {data: {why: a, remove: [data/]}}")
    place = f"{root}/{SITE}/one/data/23.dat"
    assert message == (
        f"cleanup: broke \"one\": FileNotFoundError: [Errno 2] No such file or directory: '{place}'"
        f': by rule "data" "{SITE}/one/data/23.dat"'
    )
    assert code == 1


def test_of_two_guilty_files_one_is_named(root: Path) -> None:
    make(root / SITE, {"one/__init__.py": "import one.a, one.b\n", "one/a.py": "", "one/b.py": ""})
    message, tip, code = refused(root, "rules: {two: {why: a, remove: [one/a.py, one/b.py]}}")
    assert message == (
        "cleanup: broke \"one\": ModuleNotFoundError: No module named 'one.a': "
        f'by rule "two" "{SITE}/one/a.py"'
    )
    assert (tip, code) == (keep("one/a.py"), 1)


EITHER = """
import os.path
here = os.path.dirname(__file__)
assert any(os.path.exists(f"{here}/{name}") for name in ("a.dat", "b.dat")), "no data"
"""


def test_two_files_that_are_guilty_only_together_have_no_name(root: Path) -> None:
    make(root / SITE, {"one/__init__.py": EITHER, "one/a.dat": "", "one/b.dat": ""})
    assert refused(root, "rules: {data: {why: a, remove: ['*.dat']}}") == (
        'cleanup: broke "one": AssertionError: no data: by rule "data"',
        KEEP,
        1,
    )


def test_two_rules_that_are_guilty_only_together_are_several(root: Path) -> None:
    make(root / SITE, {"one/__init__.py": EITHER, "one/a.dat": "", "one/b.dat": ""})
    rules = "rules: {a: {why: a, remove: [a.dat]}, b: {why: b, remove: [b.dat]}}"
    assert refused(root, rules) == (
        'cleanup: broke "one": AssertionError: no data: by several causes together',
        KEEP,
        1,
    )


def test_a_guilty_file_of_an_odd_name_is_shown_as_text(root: Path) -> None:
    code = "import os\nopen(os.fsencode(__file__)[:-11] + b'\\n\\xff.dat').close()\n"
    make(root / SITE, {"one/__init__.py": code, "one/\n\udcff.dat": ""})
    message = refused(root, "rules: {data: {why: a, remove: ['*.dat']}}")[0]
    assert message.endswith(f'by rule "data" "{SITE}/one/\\n\\xff.dat"')
    assert "\n" not in message


def test_bytecode_is_guilty_where_a_package_reads_its_own_source(root: Path) -> None:
    code = "import os.path\nopen(os.path.dirname(__file__) + '/a' + '.py').close()\n"
    make(root / SITE, {"one/__init__.py": code, "one/a.py": ""})
    place = f"{root}/{SITE}/one/a.py"
    assert refused(root, "bytecode: {default: sourceless}") == (
        f"cleanup: broke \"one\": FileNotFoundError: [Errno 2] No such file or directory: '{place}'"
        f': by bytecode "{SITE}/one/a.py"',
        'cleanup.yaml: bytecode: {cached: ["one/a.py"]}',
        1,
    )
    assert cleaned(root, "bytecode: {default: sourceless, cached: [one/a.py]}")["proven"] == 7


@pytest.mark.parametrize("mode", ["source", "cached", "sourceless"])
def test_a_broken_tree_is_as_it_was_in_every_mode(root: Path, mode: str) -> None:
    rules = f"bytecode: {{default: {mode}}}\nrules: {{t: {{why: a, remove: [helper.py]}}}}"
    assert refused(root, rules) == (
        "cleanup: broke \"one\": ModuleNotFoundError: No module named 'one.testing.helper': "
        f'by rule "t" "{SITE}/one/testing/helper.py"',
        keep("one/testing/helper.py"),
        1,
    )


def test_distributions_that_are_no_longer_listed_are_missed(root: Path) -> None:
    assert refused(root, "rules: {records: {why: a, remove: [METADATA]}}")[0].startswith(
        'cleanup: broke "importlib.metadata": distributions are no longer listed: by rule "records"'
    )
    rules = "rules: {records: {why: a, remove: ['two*.dist-info/METADATA']}}"
    assert refused(root, rules) == (
        'cleanup: broke "importlib.metadata": distributions are no longer listed: '
        f'by rule "records" "{SITE}/two-1.0.dist-info/METADATA"',
        keep("two-1.0.dist-info/METADATA"),
        1,
    )


def test_a_command_that_fails_afterwards_is_named(root: Path) -> None:
    rules = """
rules: {tests: {why: a, remove: [tests/]}}
prove: {run: [python, -c, import one.tests.test_a]}
"""
    assert refused(root, rules) == (
        f'cleanup: broke "python -c import one.tests.test_a": ModuleNotFoundError: '
        f'No module named \'one.tests\': by rule "tests" "{SITE}/one/tests/test_a.py"',
        keep("one/tests/test_a.py"),
        1,
    )


def test_a_module_that_crashes_afterwards_is_named(root: Path) -> None:
    code = "try:\n    import one.helper\nexcept ImportError:\n    import os; os.abort()\n"
    make(root / SITE, {"one/__init__.py": code, "one/helper.py": ""})
    assert refused(root, "rules: {h: {why: a, remove: [one/helper.py]}}") == (
        f'cleanup: broke "one": interpreter crashed with -6: by rule "h" "{SITE}/one/helper.py"',
        keep("one/helper.py"),
        1,
    )


# ---- what metadata declares, and what lies deep -------------------------------


def test_an_entry_point_that_a_rule_broke_is_named(root: Path) -> None:
    points = "[bugs.plugins]\nb = two.test.backend:load\n[console_scripts]\nnever = none:main\n"
    make(
        root / SITE,
        {
            "two/__init__.py": "",
            "two/test/__init__.py": "",
            "two/test/backend.py": "def load(): return 1\n",
            "two-1.0.dist-info/entry_points.txt": points,
        },
    )
    (root / SITE / "two.py").unlink()
    assert refused(root, "rules: {tests: {why: a, remove: [test/]}}") == (
        'cleanup: broke entry point "b" of "bugs.plugins": ModuleNotFoundError: '
        f'No module named \'two.test\': by rule "tests" "{SITE}/two/test/backend.py"',
        keep("two/test/backend.py"),
        1,
    )


def test_an_entry_point_that_is_no_longer_listed_is_missed(root: Path) -> None:
    make(root / SITE, {"two-1.0.dist-info/entry_points.txt": "[a.group]\nb = two\n"})
    rules = "rules: {points: {why: a, remove: [entry_points.txt]}}"
    path = "two-1.0.dist-info/entry_points.txt"
    assert refused(root, rules) == (
        'cleanup: broke "importlib.metadata": entry point "b" of "a.group" is no longer listed: '
        f'by rule "points" "{SITE}/{path}"',
        keep(path),
        1,
    )


DEEP = {
    "two/__init__.py": "",
    "two/a/__init__.py": "",
    "two/a/b.py": "import two.c\n",
    "two/c.py": "",
}


def test_a_module_deep_in_a_package_is_imported_too(root: Path) -> None:
    make(root / SITE, DEEP)
    assert refused(root, "rules: {c: {why: a, remove: [two/c.py]}}") == (
        "cleanup: broke \"two.a.b\": ModuleNotFoundError: No module named 'two.c': "
        f'by rule "c" "{SITE}/two/c.py"',
        keep("two/c.py"),
        1,
    )


def test_what_a_rule_says_that_it_breaks_may_break(root: Path) -> None:
    make(root / SITE, DEEP)
    report = cleaned(root, "rules: {c: {why: a, remove: [two/c.py], breaks: [two.a.*]}}")
    assert report["broken"] == ("two.a.b",)


def test_docstrings_that_a_module_needs_are_distinguished_from_other_bytecode(root: Path) -> None:
    code = "from one.a import f\nassert f.__doc__, 'no docstring'\n"
    make(root / SITE, {"one/__init__.py": code, "one/a.py": 'def f():\n    """f"""\n'})
    rules = "{bytecode: {default: sourceless}, docstrings: {default: drop}}"
    assert refused(root, rules) == (
        f'cleanup: broke "one": AssertionError: no docstring: by docstrings "{SITE}/one/a.py"',
        'cleanup.yaml: docstrings: {keep: ["one/a.py"]}',
        1,
    )


def test_a_program_is_not_imported_to_see_whether_it_loads(root: Path) -> None:
    make(root / SITE, {"one/__main__.py": "raise SystemExit('ran')\n"})
    plan = planned(root, "{}")
    assert "one.__main__" not in questions.modules(plan)


def test_a_module_that_loads_only_after_another_is_not_the_cleanups_fault(root: Path) -> None:
    make(
        root / SITE,
        {
            "one/__init__.py": "",
            "one/a.py": "import sys; sys.one_came_first = True\n",
            "one/b.py": "import sys; sys.one_came_first\n",
            "one/c.md": "",
        },
    )
    assert cleaned(root, "rules: {docs: {why: a, remove: ['*.md']}}")["proven"] == 8


# ---- guilty, change by change ----------------------------------------------


def content(root: Path, path: str, wanted: str) -> Callable[[], str]:
    """Return a question that fails unless the file holds what it should."""

    def ask() -> str:
        place = root / path
        return "" if place.exists() and place.read_text() == wanted else "broken"

    return ask


def test_a_guilty_strip_is_named_and_everything_is_back(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", {"a.so": "A", "b.so": "B", "c.md": "C"})
    before = snapshot(root)
    with Trash(root) as trash:
        trash.move('rule "docs"', "c.md")
        for path in ("a.so", "b.so"):
            trash.move("strip", path, added=(path,))
            make(root, {path: "damaged"})
        assert blame.guilty(trash, content(root, "b.so", "B")) == blame.Guilt("strip", "b.so", (2,))
        assert snapshot(root) == before


def test_a_change_that_was_undone_already_is_not_guilty(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", {"a.so": "A", "b.py": "B"})

    def sound() -> str:
        return content(root, "a.so", "A")() or content(root, "b.py", "B")()

    before = snapshot(root)
    with Trash(root) as trash:
        trash.move("strip", "a.so", added=("a.so",))
        make(root, {"a.so": "damaged"})
        trash.put_back([0])
        trash.move("bytecode", "b.py", added=("b.pyc",))
        assert blame.guilty(trash, sound) == blame.Guilt("bytecode", "b.py", (1,))
        assert snapshot(root) == before


def test_nothing_guilty_is_several_causes(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", {"a": "A"})
    with Trash(root) as trash:
        trash.move("r", "a")
        assert blame.guilty(trash, lambda: "") == blame.Guilt("several causes together", "")
        assert files(root) == ["a"]


def test_everything_is_back_when_the_question_fails(tmp_path: Path) -> None:
    root = make(tmp_path / "tree", {"a": "A"})
    before = snapshot(root)

    def interrupted() -> str:
        raise KeyboardInterrupt

    with Trash(root) as trash:
        trash.move("r", "a")
        with pytest.raises(KeyboardInterrupt):
            blame.guilty(trash, interrupted)
        assert snapshot(root) == before


@needs_gcc
def test_a_library_that_strip_broke_for_its_module_alone_is_named(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It still loads, so only a module that uses a missing name fails."""
    library(root / SITE / "one/lib.so", "static int hidden = 1; int answer(void) { return 42; }")
    read = "import os.path\nhere = os.path.dirname(__file__)\n"
    code = f"{read}assert b'.symtab' in open(here + '/lib.so', 'rb').read(), 'no symbols'\n"
    make(root / SITE, {"one/__init__.py": code})
    assert refused(root, "strip: verified") == (
        f'cleanup: broke "one": AssertionError: no symbols: by strip "{SITE}/one/lib.so"',
        "cleanup.yaml: strip: off",
        1,
    )


def test_words_of_the_interpreter_stay_words(root: Path) -> None:
    python = str(program(root.parent, "wrapped", f'shift; exec "{root}/bin/python" "$@"\n'))
    plan = planned(root, "prove: {import: [one], run: [python, -c, import two]}")
    assert clean(plan, [python, "--first"], str(root))["proven"] == 6
