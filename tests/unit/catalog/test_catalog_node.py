from __future__ import annotations

from typing import Any

import pytest

from scripts.catalog.catalog_node import Node
from scripts.common.errors import CatalogError


def node(**values: Any) -> Node:
    return Node("images.yaml", "images.api", values, None)


def test_what_a_node_of_the_catalogue_reads() -> None:
    good = node(installed="1.5 MB", ready="250 ms", because="so", needs=["a"])
    assert (good.size("installed"), good.time("ready")) == (1_500_000, 250)
    assert (good.text("because"), good.texts("needs"), good.texts("none")) == ("so", ("a",), ())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: node(because=" ").text("because"), 'because: not a text " "'),
        (lambda: node(needs=[""]).texts("needs"), "needs: not a list of texts \"['']\""),
        (lambda: node().size("installed"), "installed: missing"),
        (lambda: node(needs=None).texts("needs"), "needs: not a list of texts"),
    ],
)
def test_what_is_written_says_something(call: Any, message: str) -> None:
    with pytest.raises(CatalogError) as caught:
        call()
    assert caught.value.message == f"images.yaml: images.api.{message}"
    assert caught.value.tip == "fix images.yaml, then run the same command again"


def test_an_unknown_word_is_reported_with_the_nearest() -> None:
    error = node().unknown("needs", "no such image", "storag", ["storage"])
    shown = 'images.yaml: images.api.needs: no such image "storag", did you mean "storage"?'
    assert str(error) == shown
