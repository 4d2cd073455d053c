from __future__ import annotations

import base64
import hashlib
import subprocess
import sysconfig
from pathlib import Path

import pytest
from sutra_cleanup import manifest, tree
from sutra_cleanup.__main__ import clean
from sutra_cleanup.errors import CleanupError
from zlib_ng import zlib_ng

from tests.unit.cleanup.trees import SITE, distribution, files, make, snapshot, venv

SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
# an extension module that is always there, and can be loaded under another package's name
NAME = "zlib_ng"
FILE = Path(zlib_ng.__file__)
PACKAGE = distribution("one", {"one/__init__.py": f"from one import {NAME} as core\n"})
RULE = f"solvers: {{why: never called, stand_in: true, remove: ['one/{NAME}.*.so']}}"
SAID = f'{NAME}: left out by rule "solvers" of cleanup.yaml, so there is no'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    venv(tmp_path / "tree", {**PACKAGE, f"one/{NAME}{SUFFIX}": FILE.read_bytes()})
    return tmp_path / "tree"


def cleaned(root: Path, text: str) -> dict[str, object]:
    (root.parent / "cleanup.yaml").write_text(text)
    plan = tree.plan(root, manifest.load(root.parent / "cleanup.yaml"))
    return clean(plan, [f"{root}/bin/python"], str(root))


def answer(root: Path, code: str) -> str:
    """Run `code` in the tree; return what it printed, or the last line of its error."""
    done = subprocess.run(
        [f"{root}/bin/python", "-B", "-c", code], capture_output=True, text=True, check=False
    )
    return (done.stdout if done.returncode == 0 else done.stderr.splitlines()[-1]).strip()


@pytest.mark.parametrize(
    ("mode", "there"),
    [
        ("source", {f"one/{NAME}.py"}),
        ("sourceless", {f"one/{NAME}.pyc"}),
        ("cached", {f"one/{NAME}.py", "one/__pycache__"}),
    ],
)
def test_it_is_there_as_bytecode_is_wanted(root: Path, mode: str, there: set[str]) -> None:
    report = cleaned(root, f"bytecode: {{default: {mode}}}\nrules: {{{RULE}}}")
    assert report["stand_ins"] == [f"{SITE}/one/{NAME}.py"]
    replaced = {path.removeprefix(f"{SITE}/") for path in files(root) if NAME in path}
    assert {"one/__pycache__" if "__pycache__" in path else path for path in replaced} == there
    said = answer(root, "import one; print(type(one.core.Highs.option).__name__)")
    assert said == "_LeftOut"
    counts = dict.fromkeys(("source", "sourceless", "cached"), 0) | {mode: 2}
    compiled = report["compiled"]
    assert isinstance(compiled, dict)
    assert {name: compiled[name] for name in counts} == counts


@pytest.mark.parametrize(
    "use",
    [
        "one.core.solve()",
        "bool(one.core.solve)",
        "one.core.limit == 1",
        "one.core.limit > 1",
        "len(one.core.solve)",
        "list(one.core.solve)",
        "{one.core.solve}",
        "one.core.limit + 1",
        "float(one.core.limit)",
        "f'{one.core.limit}'",
        "one.core.limit in [1]",
    ],
)
def test_using_a_name_of_the_stand_in_reports_the_rule(root: Path, use: str) -> None:
    cleaned(root, f"rules: {{{RULE}}}")
    name = "solve" if "solve" in use else "limit"
    assert answer(root, f"import one; {use}") == f'RuntimeError: {SAID} "{name}"'


def test_a_name_within_a_name_is_shown_whole(root: Path) -> None:
    cleaned(root, f"rules: {{{RULE}}}")
    said = answer(root, "import one; one.core.Status.optimal()")
    assert said == f'RuntimeError: {SAID} "Status.optimal"'


def test_what_uses_it_when_it_is_imported_fails_the_proof(root: Path) -> None:
    (root / SITE / "one/__init__.py").write_text(f"import one.{NAME}\nhash(one.{NAME}.__doc__)\n")
    (root / SITE / "two.py").write_text(
        f"from one import {NAME} as core\n"
        "if hasattr(core, 'solve'):\n    core.solve()\n"  # as the real one has no such name
    )
    before = snapshot(root)
    with pytest.raises(CleanupError) as caught:
        cleaned(root, f"bytecode: {{default: sourceless}}\nrules: {{{RULE}}}")
    assert (caught.value.message, caught.value.exit_code) == (
        f'cleanup: broke "two": RuntimeError: {SAID} "solve": '
        f'by rule "solvers" "{SITE}/one/{NAME}{SUFFIX}"',
        1,
    )
    assert snapshot(root) == before


def test_a_module_beside_it_would_be_loaded_instead(root: Path) -> None:
    make(root / SITE, {f"one/{NAME}.py": ""})
    before = snapshot(root)
    with pytest.raises(CleanupError) as caught:
        cleaned(root, f"rules: {{{RULE}}}")
    assert caught.value.message == (
        f'cleanup.yaml: rules.solvers.stand_in: there already "{SITE}/one/{NAME}.py"'
    )
    assert caught.value.tip == ("remove stand_in from the rule: that module is loaded instead")
    assert snapshot(root) == before


def test_the_distribution_names_it_in_its_record(root: Path) -> None:
    record = root / SITE / "one-1.0.dist-info/RECORD"
    record.write_text(f"one/{NAME}{SUFFIX},sha256=abc,9\n" + record.read_text())
    cleaned(root, f"rules: {{{RULE}}}")
    content = (root / SITE / f"one/{NAME}.py").read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    assert record.read_text() == (
        f"one/{NAME}.py,sha256={digest},{len(content)}\none/__init__.py,,\n"
        "one-1.0.dist-info/METADATA,,\none-1.0.dist-info/RECORD,,\n"
    )


def test_a_second_run_changes_nothing(root: Path) -> None:
    text = f"bytecode: {{default: sourceless}}\nrules: {{{RULE}}}"
    cleaned(root, text)
    before = snapshot(root)
    cleaned(root, text)
    assert snapshot(root) == before
