"""A moved service is built again from two commits, which both have to be known; engines do it."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.common.errors import SutraError
from scripts.reproduce import moved
from tests.unit.fakes import FakeEngine, FakeImage, tar_of

MOVED = {"org.opencontainers.image.base.digest": "sha256:1"}
NAME, REVISION = "org.opencontainers.image.base.name", "org.sutra.base.revision"


@pytest.mark.parametrize(
    ("labels", "commit"),
    [
        ({NAME: "base:prod"}, ""),
        ({NAME: "base:prod", REVISION: "unknown"}, "unknown"),
        ({NAME: "base:prod", REVISION: "4f1c-dirty"}, "4f1c-dirty"),
        ({NAME: "scratch", REVISION: "4f1c"}, "4f1c"),
    ],
)
def test_a_base_that_nobody_can_build_again(
    engine: FakeEngine, folder: Path, labels: dict[str, str], commit: str
) -> None:
    image = FakeImage([tar_of({"file": b"1"})], labels=MOVED | labels)
    content = moved.read(engine, engine.add(image))
    with (
        pytest.raises(SutraError) as caught,
        moved.layers_again(engine, "api", "a" * 40, content),
    ):
        pytest.fail("built")
    assert (caught.value.message, caught.value.tip) == (
        f'reproduce: api: its base is of no clean commit "{commit}"',
        "`make prod` builds it on a base of the commit that is checked out",
    )


def test_an_image_that_is_gone(engine: FakeEngine, folder: Path) -> None:
    with pytest.raises(SutraError) as caught:
        moved.read(engine, "api:prod")
    assert caught.value.message == 'reproduce: image no longer exists "api:prod"'
