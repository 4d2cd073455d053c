"""RECORD matches the files that packages/sutra-hybrid/share-libraries.py changed or removed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).resolve().parents[2] / "packages/sutra-hybrid/share-libraries.py"
SHA_OF_NEW = "sha256=EVB6Di9eadXfpApiob17buV-a82FxnybhDGzb_8hxDc"


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("share_libraries", FILE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_records_of_changed_files_are_corrected_and_of_removed_ones_dropped(
    script: ModuleType, tmp_path: Path, end: str
) -> None:
    site = tmp_path / "site-packages"
    record = site / "scipy-1.dist-info/RECORD"
    record.parent.mkdir(parents=True)
    for name in ("same.py", "changed,1.so"):
        (site / name).write_text("new")
    (tmp_path / "tool").write_text("new")
    lines = [
        f"same.py,{SHA_OF_NEW},3",
        '"changed,1.so",sha256=old,12345',
        "../tool,sha256=old,3",
        "gone.so,sha256=old,9",
        "never-compiled.pyc,,",
        "scipy-1.dist-info/RECORD,,",
    ]
    record.write_bytes("".join(line + end for line in lines).encode())
    assert script.mend_record(record) == 3
    assert record.read_bytes().decode() == "".join(
        line + end
        for line in (
            f"same.py,{SHA_OF_NEW},3",
            f'"changed,1.so",{SHA_OF_NEW},3',
            f"../tool,{SHA_OF_NEW},3",
            "never-compiled.pyc,,",
            "scipy-1.dist-info/RECORD,,",
        )
    )
    before = record.read_bytes()
    assert script.mend_record(record) == 0
    assert record.read_bytes() == before


def test_a_vendored_library_that_none_names_is_removed_and_then_what_it_alone_named(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = ("scipy/linalg.so", "a.libs/kept.so", "a.libs/last.so.5", "a.libs/idle.so")
    module, kept, last, idle = (tmp_path / path for path in paths)
    for file in (module, kept, last, idle):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"12345")
    needs = {module: {"kept.so"}, kept: set(), last: set(), idle: {"last.so.5"}}
    script.remove_unasked(needs, tmp_path)
    assert needs == {module: {"kept.so"}, kept: set()}
    assert [file.exists() for file in (module, kept, last, idle)] == [True, True, False, False]
    assert capsys.readouterr().out == (
        "a.libs/idle.so is needed by none: 5 bytes\na.libs/last.so.5 is needed by none: 5 bytes\n"
    )
