from __future__ import annotations

from typing import Any

import pytest
from sutra_cleanup.yaml_node import Node, did_you_mean


class RefusedError(Exception):
    pass


class Own(Node):
    def refusal(self, message: str) -> Exception:
        return RefusedError(message)


def node(value: Any, keys: tuple[str, ...] | None = None) -> Own:
    return Own("a.yaml", "", value, keys)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], 'a.yaml: not a mapping "[]"'),
        (None, "a.yaml: not a mapping"),
        ({1: 2}, 'a.yaml: key is not text "1"'),
        ({"inner": {"remoev": 1}}, 'a.yaml: inner: unknown key "remoev", did you mean "remove"?'),
        ({"inner": {"x": 1}}, 'a.yaml: inner: unknown key "x"'),
        ({}, "a.yaml: inner: missing"),
        ({"inner": None}, "a.yaml: inner: missing"),
        ({"inner": "x"}, 'a.yaml: inner: not a mapping "x"'),
        ({"inner": {"remove": "x"}}, 'a.yaml: inner.remove: not a list of texts "x"'),
        ({"inner": {"remove": ["x", 1]}}, "a.yaml: inner.remove: not a list of texts \"['x', 1]\""),
        ({"inner": {"why": 1}}, 'a.yaml: inner.why: not a text "1"'),
    ],
)
def test_an_error_names_the_key(value: Any, message: str) -> None:
    def read() -> None:
        inner = node(value).child("inner", ("why", "remove"))
        inner.text("why")
        inner.texts("remove")

    with pytest.raises(RefusedError) as caught:
        read()
    assert str(caught.value) == message


def test_what_a_node_reads() -> None:
    inner = node({"inner": {"why": "so", "remove": ["a"]}}).child("inner")
    assert (inner.text("why"), inner.texts("remove")) == ("so", ("a",))
    assert (inner.text("other"), inner.texts("others")) == ("", ())
    empty = inner.child_or_empty("deep").child_or_empty("deeper")
    assert (empty.value, str(empty.error("x", "bad"))) == ({}, "a.yaml: inner.deep.deeper.x: bad")


def test_only_a_near_word_is_meant() -> None:
    assert did_you_mean("remov", ["remove", "keep"]) == ', did you mean "remove"?'
    assert did_you_mean("zzz", ["remove", "keep"]) == ""
