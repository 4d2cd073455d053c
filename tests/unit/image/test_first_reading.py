from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.image import entry_cache, first_reading, read_layers, secret_scan
from tests.unit.fakes import FakeEngine, FakeImage, tar_of


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    begun = list[str]()
    monkeypatch.setattr(secret_scan, "prepare", lambda: begun.append("begun"))
    return begun


def test_what_is_searched_for_is_compiled_where_nothing_is_known(
    begun: list[str], tmp_path: Path
) -> None:
    first_reading.prepare(tmp_path)
    assert begun == ["begun"]


def test_a_cache_that_cannot_be_looked_at_is_one_of_nothing(begun: list[str]) -> None:
    """It may be closed to this user; root is refused for a long name alone."""
    first_reading.prepare(Path("x" * 300))
    assert begun == ["begun"]


def test_a_later_reading_compiles_nothing_before_it_needs_to(
    begun: list[str], tmp_path: Path
) -> None:
    engine = FakeEngine()
    read_layers.read_together(engine, [engine.add(FakeImage([tar_of({"a": b"1"})]))], tmp_path)
    begun.clear()
    (tmp_path / entry_cache.method()).mkdir(exist_ok=True)
    first_reading.prepare(tmp_path)
    assert begun == []


def test_the_engines_sdk_is_not_loaded_for_it() -> None:
    """Its loading is what the compiling is hidden behind."""
    code = (
        "import sys; from scripts.image import first_reading; "
        "print('docker' in sys.modules, 'requests' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


def test_what_is_compiled_in_a_thread_searches_as_ever() -> None:
    secret_scan.finish_preparing()
    assert not secret_scan.prepare().is_alive()
    assert secret_scan.find("app/x.py", b"k = 'AKIA" + b"QWERTYUIOPASDFGH'") == ("cloud key",)
