"""Test the bench of build caches, which is beside what it starts, in tests/engines."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from rich.console import Console

from scripts.common.errors import SutraError
from tests.engines import cache_bench
from tests.engines.cache_bench import Row

ROWS = [
    Row("empty builder, empty cache", 100.0, ("sha256:1", "sha256:2")),
    Row("empty builder, registry cache", 12.5, ("sha256:1", "sha256:2")),
]
OTHER = Row("same builder again", 2.0, ("sha256:1", "sha256:3"))


def test_each_build_is_beside_the_first() -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(cache_bench.table("sutra-api", ROWS))
    text = console.export_text()
    for line in (
        "│ empty builder, empty cache    │ 100.0   │ 1.00×   │ 2, ",
        "│ empty builder, registry cache │ 12.5    │ 0.12×   │ 2, ",
    ):
        assert line in text
    assert len({line.split("│")[4] for line in text.splitlines() if "cache " in line}) == 1


def test_other_layers_are_named_and_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["cache_bench", "sutra-api"])
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert cache_bench.main(lambda target, folder: ROWS) == 0
    assert capsys.readouterr().err == ""
    assert cache_bench.main(lambda target, folder: [*ROWS, OTHER]) == 1
    assert capsys.readouterr().err == (
        "bench: same builder again: other layers than empty builder, empty cache: "
        "sha256:1, sha256:3\n"
    )


def test_a_user_who_is_not_root_builds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(target: str, folder: Path) -> list[Row]:
        raise AssertionError

    monkeypatch.setattr("sys.argv", ["cache_bench"])
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SutraError) as caught:
        cache_bench.main(never)
    assert caught.value.message == "bench: a BuildKit of its own runs as root here"
