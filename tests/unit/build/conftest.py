"""A mmdebstrap for the tests of roots."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.build.roots import ROOT_TAR
from tests.unit.fakes import program


@pytest.fixture
def debootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mmdebstrap first on PATH that records its arguments in `words` and copies a ready root."""
    (tmp_path / "sample.tar").write_bytes(ROOT_TAR)
    program(
        tmp_path / "bin",
        "mmdebstrap",
        "ulimit -S -f unlimited\n"
        f"printf '%s\\n' \"$@\" > {tmp_path}/words\n"
        f'for word; do case $word in */root.tar) cp {tmp_path}/sample.tar "$word";; esac; done\n',
    )
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    return tmp_path
