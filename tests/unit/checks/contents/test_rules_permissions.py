"""File modes and the user: what each rule fails, and what passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.checks.contents.rules_permissions import RULES
from tests.support.fixture_images import Item, Made
from tests.support.good_image import NAME, good
from tests.unit.checks.contents.judging import (
    case,
    details,
    key,
    passing,
    verify,
)

FAILING = [
    case("rights", 'set-uid "app/x"', {"app/x": Item(mode=0o4755)}),
    case("rights", 'set-gid "app/x"', {"app/x": Item(mode=0o2755)}),
    case("rights", 'writable by everybody "app/x"', {"app/x": Item(mode=0o646)}),
    case("rights", 'writable by everybody "app"', {"app": Item(kind="folder", mode=0o777)}),
    case("rights", 'device "app/x"', {"app/x": Item(kind="device")}),
    case("rights", 'fifo "app/x"', {"app/x": Item(kind="fifo")}),
    case("user", "no USER, so root", User=""),
    case("user", 'USER is not a number "sutra"', User="sutra"),
    case("user", 'USER is root "0:10001"', User="0:10001"),
    case("user", 'USER is not in etc/passwd "7:10001"', User="7:10001"),
    case("user", 'USER is not in etc/group "10001:7"', User="10001:7"),
]  # fmt: skip


PASSING = [
    passing("a sticky folder", {"app/tmp": Item(kind="folder", mode=0o1777)}),
    passing("a user without a group", User="10001"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "message", "image"), FAILING)
def test_what_a_rule_forbids_fails_that_rule_alone(
    rule: str, message: str, image: Made, tmp_path: Path
) -> None:
    results = verify(tmp_path, image)
    assert details(results, tmp_path) == [f"images.yaml: images.{NAME}.contents.{rule}: {message}"]


def test_every_rule_has_an_image_that_fails_it() -> None:
    assert {item.values[0] for item in FAILING} == {rule.name for rule in RULES}


@pytest.mark.parametrize("image", PASSING)
def test_what_is_near_to_it_passes(image: Made, tmp_path: Path) -> None:
    assert details(verify(tmp_path, image), tmp_path) == []


def test_a_very_long_number_is_no_user(tmp_path: Path) -> None:
    found = verify(tmp_path, good(User="1" * 5000))
    assert details(found, tmp_path) == [key("user") + f'USER is not a number "{"1" * 200}"']
