from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from sutra_cleanup.errors import Fix

from scripts.__main__ import main
from scripts.common.errors import SutraError
from scripts.trial import install, suite, table
from scripts.trial.fixes import Entries
from scripts.trial.trial import Trial

METADATA = "Metadata-Version: 2.1\nName: picky\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
PICKY = 'import picky.a\nassert picky.a.f.__doc__, "no docstring"\n'


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel of a package that needs its docstrings."""
    info = "picky-1.0.dist-info"
    files = {
        "picky/__init__.py": PICKY,
        "picky/a.py": 'def f():\n    """f"""\n',
        f"{info}/METADATA": METADATA,
        f"{info}/WHEEL": WHEEL,
    }
    record = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    file = tmp_path / "picky-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(name, text)
    return file


def test_the_entry_that_leaves_a_package_whole_is_found(
    wheel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["try-package", str(wheel)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[1].startswith('  broke "picky": AssertionError: no docstring: by docstrings "lib/')
    assert out[-1] == "  add to the service's cleanup.yaml: docstrings: {keep: [picky/a.py]}"


def test_what_cannot_be_installed_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SutraError) as caught:
        main(["try-package", str(tmp_path / "none-1.0-py3-none-any.whl")])
    assert caught.value.message.startswith('try-package: cannot install "')
    assert caught.value.tip == (
        "check the name, PIP_INDEX_URL and CA_BUNDLE; rules are tried on wheels alone"
    )


def test_an_index_and_a_private_ca_are_uv_s_too(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    knobs = {"PIP_INDEX_URL": "https://pypi.example/simple", "CA_BUNDLE": str(bundle)}
    own = {"UV_DEFAULT_INDEX": "https://pypi.example/simple", "SSL_CERT_FILE": str(bundle)}
    assert install.environment({"A": "b", **knobs}) == {"A": "b", **knobs, **own}
    unset = {"PIP_INDEX_URL": "", "CA_BUNDLE": "", "UV_DEFAULT_INDEX": "mine"}
    assert install.environment(unset) == unset
    with pytest.raises(SutraError) as caught:
        install.environment({"CA_BUNDLE": "/nowhere.pem"})
    assert caught.value.message == 'CA_BUNDLE: no such file "/nowhere.pem"'


def test_a_call_without_package_and_list_is_refused() -> None:
    with pytest.raises(SutraError) as caught:
        main(["try-package", ""])
    assert caught.value.message == "try-package: needs a package or a list"


def test_entries_grow_to_a_package_when_one_file_follows_another() -> None:
    entries = Entries()
    assert entries.take(Fix("docstrings", "a/x.py"))
    assert entries.take(Fix("docstrings", "a/y.py"))
    assert not entries.take(Fix("docstrings", "a/"))
    assert entries.take(Fix("cached", "b/x.py"))
    assert entries.take(Fix("keep", "c/tests/x.py"))
    assert entries.take(Fix("strip"))
    assert not entries.take(Fix("strip"))
    assert entries.take(Fix("descriptions"))
    assert not entries.take(Fix())
    assert entries.text() == (
        "bytecode: {cached: [b/x.py]}, descriptions: keep, docstrings: {keep: [a/]}, rules: "
        "{needed: {keep: [c/tests/x.py], why: the package needs it}}, strip: 'off'"
    )


def test_a_list_is_ranks_and_packages(tmp_path: Path) -> None:
    file = tmp_path / "list.tsv"
    file.write_text("# a list\n1\tboto3\n9\tuvicorn[standard]\n")
    assert suite.read_list(file) == {"boto3": 1, "uvicorn[standard]": 9}
    file.write_text("boto3\n")
    with pytest.raises(SutraError) as caught:
        suite.read_list(file)
    assert caught.value.message == f'{file}: line 1: not a rank and a package "boto3"'


def test_the_table_is_written_between_its_marks(tmp_path: Path) -> None:
    file = tmp_path / "packages.md"
    file.write_text("before\n<!-- packages -->\nold\n<!-- /packages -->\nafter\n")
    trials = [
        Trial("b", "2", 2_000_000, 1_000_000, 5, 1, "strip: 'off'", ("x",), ok=True),
        Trial("a", "1", 3_000_000, 1_000_000, 7, 0, ok=True),
        Trial("c", broke=('"c": E: a|b',)),
    ]
    table.write(trials, {"a": 1, "b": 2, "c": 3}, file)
    lines = file.read_text().splitlines()
    assert lines[:2] + lines[-2:] == ["before", "<!-- packages -->", "<!-- /packages -->", "after"]
    assert lines[2].startswith("3 packages on Python 3.")
    assert lines[2].endswith(
        ": 1 work with the shared rules alone, 1 need entries of their own, 1 are broken."
    )
    assert lines[6:9] == [
        "| 1 | a 1 | 3.0 MB | 1.0 MB | 7 | 0 | nothing |",
        "| 2 | b 2 | 2.0 MB | 1.0 MB | 5 | 1 | `strip: 'off'` |",
        '| 3 | c | | | | | broken: "c": E: a\\|b |',
    ]


def test_a_trial_is_json(wheel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["try-package", str(wheel), "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["entries"] == "docstrings: {keep: [picky/a.py]}"
