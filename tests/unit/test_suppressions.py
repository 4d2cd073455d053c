"""Every line that silences a tool, or a command's failure, has its reason beside it or above."""

from __future__ import annotations

import re

from tests.conftest import ROOT
from tests.support.tracked import tracked

SILENCED = re.compile(
    r"# (?:type: ignore(?:\[[a-z, -]+\])?|noqa(?:: [A-Z0-9, ]*[0-9])?)[ #-]*$"
    r"|\|\| (?:true|:)$",
    re.MULTILINE,
)
# the tests of this rule itself
EXEMPT = {"tests/unit/test_suppressions.py"}


def bare(text: str) -> list[int]:
    """Return the numbers of the lines that silence something without a reason."""
    lines = text.splitlines()
    return [
        number
        for number, line in enumerate(lines)
        if SILENCED.search(line) and not (number and lines[number - 1].lstrip().startswith("#"))
    ]


def test_every_suppression_has_a_reason() -> None:
    names = tracked("*.py", "*.sh", ".ci/run")
    assert {".ci/run", "scripts/venv.sh", "scripts/oci/tar_stream.py"} <= set(names)
    assert {
        name: [number + 1 for number in numbers]
        for name in names
        if name not in EXEMPT and (numbers := bare((ROOT / name).read_text()))
    } == {}


def test_a_suppression_without_a_reason_is_noticed() -> None:
    lines = (
        "a  # type: ignore[arg-type]",
        "b  # type: ignore",
        "c  # noqa: E402",
        "d  # noqa",
        "e || true",
        "f || :",
        "g  # type: ignore[arg-type] # it is a fake",
        "h  # type: ignore[arg-type, union-attr]  # it is a fake",
        "i  # noqa: S101, E402 - for mypy",
        "j || true # it may not run",
        "# it may have ended",
        "k || true",
        "l  # noqa: E402 #",
    )
    assert bare("\n".join(lines)) == [0, 1, 2, 3, 4, 5, 12]
