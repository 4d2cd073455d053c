"""Labels: what each rule fails, and what passes."""

from __future__ import annotations

from scripts.checks.contents.rules_labels import RULES
from tests.unit.checks.contents.judging import (
    Forbids,
    case,
)

FAILING = [
    case(
        "labels",
        'no label "org.opencontainers.image.version"',
        Labels={"org.opencontainers.image.version": ""},
    ),
    case(
        "labels",
        'label org.opencontainers.image.title is not the image\'s name "x"',
        Labels={"org.opencontainers.image.title": "x"},
    ),
    case(
        "labels",
        'label org.opencontainers.image.revision is not what it should be "unknown"',
        Labels={"org.opencontainers.image.revision": "unknown"},
    ),
]


class TestLabels(Forbids):
    rules, failing = RULES, FAILING
