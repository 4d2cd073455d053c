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
    Labels={"x": "base", "org.sutra.root": "debian@new"},
)
SERVICE = image(
    "api",
    "abst",
    Env=["PATH=/bin", "A=9", "MINE=1"],
    User="1",
    WorkingDir="/app",
    Cmd=["serve"],
    Labels={"x": "mine", "org.sutra.root": "debian@old"},
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
            "org.sutra.root": "debian@new",
            "org.opencontainers.image.base.digest": DIGEST,
        },
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
