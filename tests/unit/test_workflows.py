"""The workflows of continuous integration: what they run is pinned and gates."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def unpinned(text: str) -> list[str]:
    """Return what `uses:` names by a tag or a branch, which whoever owns it can move."""
    used = re.findall(r"uses: *(.+?) *$", text, re.MULTILINE)
    return [name for name in used if not name.startswith("./") and not PINNED.fullmatch(name)]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.name)
def test_actions_are_pinned_by_commit(workflow: Path) -> None:
    assert "uses:" in workflow.read_text()
    assert unpinned(workflow.read_text()) == []


@pytest.mark.parametrize("name", ["actions/checkout@v4", "actions/checkout@" + "a" * 40])
def test_an_action_that_can_move_is_found(name: str) -> None:
    assert unpinned(f"      - uses: {name}\n") == [name]
