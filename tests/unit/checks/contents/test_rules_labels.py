"""Labels: what each rule fails, and what passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.checks.contents.rules_labels import RULES
from tests.support.fixture_images import Made
from tests.support.good_image import NAME
from tests.unit.checks.contents.judging import (
    case,
    details,
    verify,
)

FAILING = [
    case("labels", 'no label "org.opencontainers.image.version"',
         Labels={"org.opencontainers.image.version": ""}),
    case("labels", 'label org.opencontainers.image.title is not the image\'s name "x"',
         Labels={"org.opencontainers.image.title": "x"}),
    case("labels",
         'label org.opencontainers.image.revision is not what it should be "unknown"',
         Labels={"org.opencontainers.image.revision": "unknown"}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "message", "image"), FAILING)
def test_what_a_rule_forbids_fails_that_rule_alone(
    rule: str, message: str, image: Made, tmp_path: Path
) -> None:
    results = verify(tmp_path, image)
    assert details(results, tmp_path) == [f"images.yaml: images.{NAME}.contents.{rule}: {message}"]


def test_every_rule_has_an_image_that_fails_it() -> None:
    assert {item.values[0] for item in FAILING} == {rule.name for rule in RULES}
