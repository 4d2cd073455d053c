"""An image's documents on another base: its layers stay, settings from the old base go."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.common.errors import SutraError
from scripts.rebase.parts import Image, moved, stands_on

DIGEST = "sha256:" + "f" * 64


def image(name: str, layers: str, created: str = "2026-01-01T00:00:00Z", **settings: Any) -> Image:
    config = {
        "architecture": "amd64",
        "created": created,
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": list(layers)},
        "history": [{"created_by": f"{name} {layer}"} for layer in layers],
    }
    return Image(name, config, tuple(f"{layer}.tar" for layer in layers))


OLD = image(
    "old",
    "ab",
    Env=["PATH=/bin", "A=1"],
    User="1",
    WorkingDir="/app",
    Cmd=["python3"],
    Labels={"x": "base"},
)
NEW = image(
    "new",
    "ABC",
    "2026-02-01T00:00:00Z",
    Env=["PATH=/usr/bin", "A=1", "B=2"],
    User="1",
    WorkingDir="/srv",
    Labels={
        "x": "base",
        "org.sutra.root": "debian@new",
        "org.opencontainers.image.revision": "b" * 40,
    },
)
SERVICE = image(
    "api",
    "abst",
    Env=["PATH=/bin", "A=9", "MINE=1"],
    User="1",
    WorkingDir="/app",
    Cmd=["serve"],
    Labels={
        "x": "mine",
        "org.sutra.root": "debian@old",
        "org.opencontainers.image.revision": "a" * 40,
    },
)


def test_own_layers_follow_the_new_base_s() -> None:
    config, own = moved(SERVICE, OLD, NEW, DIGEST)
    assert own == ["s.tar", "t.tar"]
    assert config["rootfs"]["diff_ids"] == ["A", "B", "C", "s", "t"]
    steps = [step["created_by"] for step in config["history"]]
    assert steps == ["new A", "new B", "new C", "api s", "api t"]
    assert config["created"] == "2026-02-01T00:00:00Z"
    assert config["architecture"] == "amd64"


def test_settings_of_the_service_win_over_those_of_either_base() -> None:
    config, _ = moved(SERVICE, OLD, NEW, DIGEST)
    assert config["config"] == {
        "Env": ["PATH=/usr/bin", "B=2", "A=9", "MINE=1"],
        "User": "1",
        "WorkingDir": "/srv",
        "Cmd": ["serve"],
        "Labels": {
            "x": "mine",
            "org.opencontainers.image.revision": "a" * 40,
            "org.opencontainers.image.base.digest": DIGEST,
            "org.sutra.base.revision": "b" * 40,
            "org.sutra.root": "debian@new",
            "org.sutra.build.root": "debian@old",
        },
    }


def labels_of(own: dict[str, str], base: dict[str, str]) -> dict[str, str]:
    service = image("api", "abst", Labels=own)
    return dict(moved(service, OLD, image("new", "A", Labels=base), DIGEST)[0]["config"]["Labels"])


def test_a_service_that_moves_again_tells_of_its_last_base_and_of_what_built_it() -> None:
    first = labels_of({"org.sutra.root": "r1"}, {"org.sutra.root": "r2"})
    assert first == {
        "org.opencontainers.image.base.digest": DIGEST,
        "org.sutra.root": "r2",
        "org.sutra.build.root": "r1",
    }
    second = {"org.sutra.root": "r3", "org.opencontainers.image.revision": "c"}
    assert labels_of(first, second) == {
        "org.opencontainers.image.base.digest": DIGEST,
        "org.sutra.base.revision": "c",
        "org.sutra.root": "r3",
        "org.sutra.build.root": "r1",
    }
    # back on the root that built it; a base of no commit
    assert labels_of(labels_of(first, second), {"org.sutra.root": "r1"}) == {
        "org.opencontainers.image.base.digest": DIGEST,
        "org.sutra.root": "r1",
    }


def test_what_the_new_base_no_longer_sets_goes() -> None:
    service = image("api", "abst", Cmd=["python3"])
    assert "Cmd" not in moved(service, OLD, NEW, DIGEST)[0]["config"]


@pytest.mark.parametrize("layers", ["bast", "a", "ab", "xyz"])
def test_an_image_on_something_else_is_refused(layers: str) -> None:
    other = image("api", layers)
    assert not stands_on(other, OLD)
    with pytest.raises(SutraError) as caught:
        moved(other, OLD, NEW, DIGEST)
    assert caught.value.message == ("rebase: api: is not built on old: its first layers are others")


def test_a_base_without_layers_is_under_nothing() -> None:
    assert not stands_on(SERVICE, image("scratch", ""))
