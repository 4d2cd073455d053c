"""No text or list is multiplied by a truth: a condition says what it does."""

from __future__ import annotations

import ast

import pytest

from tests.conftest import ROOT
from tests.support.tracked import present


def multiplied(source: str) -> list[int]:
    """Return the lines that multiply by a comparison, `not` or `bool(…)`."""
    products = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)
    ]
    return [node.lineno for node in products if is_truth(node.left) or is_truth(node.right)]


def is_truth(node: ast.expr) -> bool:
    """Return whether an expression is True or False by its form."""
    negated = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    called = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "bool"
    return negated or called or isinstance(node, ast.Compare)


def test_no_code_multiplies_by_a_truth() -> None:
    names = present("*.py")
    assert len(names) > 500
    assert {name: lines for name in names if (lines := multiplied((ROOT / name).read_text()))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "f\"file{'s' * (count != 1)}\"",
        "words * (not name)",
        "(a < b) * 7",
        "y * (a in b)",
        "y * bool(a)",
    ],
)
def test_what_the_check_must_find(source: str) -> None:
    assert multiplied(source) == [1]


@pytest.mark.parametrize("source", ['"=" * (-len(text) % 4)', "7 * count", "(a or 2) * 3"])
def test_what_is_arithmetic(source: str) -> None:
    assert multiplied(source) == []
