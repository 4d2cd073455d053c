"""`report` before its checks begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.__main__ import main
from scripts.common.errors import SutraError


def test_a_picture_without_a_browser_is_refused_before_any_check(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent.sock")
    with pytest.raises(SutraError) as caught:
        main(["report", "--screenshot", "page.png"])
    assert (caught.value.message, caught.value.tip) == (
        "report: no Chromium to take a picture with",
        "scripts/install.sh chromium",
    )
