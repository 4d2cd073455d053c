"""Bytes that a later layer hides: what each rule fails, and what passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.good_image import good
from tests.unit.checks.contents.judging import (
    details,
    key,
    later,
    promise,
    verify,
)


@pytest.mark.parametrize(("limit", "ok"), [(1001, True), (1000, True), (999, False)])
def test_wasted_bytes_equal_to_the_limit_are_within_it(
    limit: int, ok: bool, tmp_path: Path
) -> None:
    image = later({"app/x": b"2"}, good({"app/x": bytes(1000)}))
    contents = f"    contents: {{wasted: {{limit: {limit} B, because: a test}}}}\n"
    results = verify(tmp_path, image, promise(tmp_path, contents))
    (wasted,) = (result for result in results if result.name == "contents.wasted")
    assert (wasted.ok, wasted.actual, wasted.limit, wasted.unit) == (ok, 1000, limit, "bytes")
    assert details(results, tmp_path) == (
        []
        if ok
        else [
            key("wasted")
            + 'overwritten or removed by a later layer "app/x", 1000 bytes in all, 999 allowed'
        ]
    )
