"""File modes and the user: what each rule fails, and what passes."""

from __future__ import annotations

from pathlib import Path

from scripts.checks.contents.rules_permissions import RULES
from tests.support.fixture_images import Item
from tests.support.good_image import good
from tests.unit.checks.contents.judging import (
    Forbids,
    Passes,
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
]


PASSING = [
    passing("a sticky folder", {"app/tmp": Item(kind="folder", mode=0o1777)}),
    passing("a user without a group", User="10001"),
]


class TestPermissions(Forbids, Passes):
    rules, failing = RULES, FAILING
    passing = PASSING


def test_a_very_long_number_is_not_a_user(tmp_path: Path) -> None:
    results = verify(tmp_path, good(User="1" * 5000))
    assert details(results, tmp_path) == [key("user") + f'USER is not a number "{"1" * 200}"']
