"""The lines of a check result."""

from __future__ import annotations

import pytest

from scripts.common.check_result import CheckResult


@pytest.mark.parametrize(
    ("file", "key", "detail"),
    [
        ("images.yaml", "images.x", "images.yaml: images.x: too big"),
        ("images.yaml", "", "images.yaml: too big"),
        ("", "", "too big"),
    ],
)
def test_a_problem_is_one_line_with_its_place(file: str, key: str, detail: str) -> None:
    result = CheckResult("x", "size", False, 2, 1, "too big", file=file, key=key)
    assert result.detail == detail
    assert result.as_dict()["detail"] == detail


def test_without_a_problem_there_is_no_line() -> None:
    assert CheckResult("x", "size", True, 1, 1, file="images.yaml", key="images.x").detail == ""
