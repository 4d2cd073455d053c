from __future__ import annotations

import pytest

from scripts.build.dockerfile_values import Scope


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$A", "a"),
        ("${A}", "a"),
        ("$NONE", "?"),
        ("${NONE:-other}", "other"),
        ("${NONE-other}", "other"),
        ("${EMPTY:-other}", "other"),
        ("${EMPTY-other}", ""),
        ("${A:-other}", "a"),
        ("${A:+instead}", "instead"),
        ("${EMPTY:+instead}", ""),
        ("${EMPTY+instead}", "instead"),
        ("$A/$A-b", "a/a-b"),
    ],
)
def test_every_form_of_a_variable_has_its_value(text: str, value: str) -> None:
    scope = Scope({})
    scope.assign("ARG", "A=a")
    scope.assign("ARG", "EMPTY=")
    assert scope.expanded(text, "?") == value


@pytest.mark.parametrize(
    ("operands", "value"),
    [("A=1", "1"), ("A='1 2' B=3", "1 2"), ("A one two", "one two"), ("A='no end", "'no")],
)
def test_forms_of_env(operands: str, value: str) -> None:
    scope = Scope({})
    scope.enter("one", "image")
    scope.assign("ENV", operands)
    assert scope.expanded("$A", "?") == value


def test_a_stage_has_the_environment_of_the_one_that_it_begins_with() -> None:
    scope = Scope({"A": "of the build"})
    scope.enter("one", "image")
    scope.assign("ENV", "A=of-env")
    scope.enter("two", "one")
    assert scope.expanded("$A", "?") == "of-env"
    scope.enter("three", "image")
    assert scope.expanded("$A", "?") == "of the build"


def test_an_empty_argument_leaves_a_default() -> None:
    scope = Scope({"A": ""})
    assert scope.expanded("$A", "?") == ""
    scope.assign("ARG", "A=default")
    assert scope.expanded("$A", "?") == "default"
