from __future__ import annotations

import pytest

from scripts.common import platforms
from scripts.common.errors import SutraError

pytestmark = pytest.mark.usefixtures("amd64")
EXAMPLE = "such as PLATFORMS=linux/amd64,linux/arm64"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ("",)),
        ("linux/amd64", ("",)),
        ("linux/arm64", ("arm64",)),
        ("linux/amd64,linux/arm64", ("", "arm64")),
        ("linux/arm64, linux/amd64 ", ("arm64", "")),
    ],
)
def test_platforms_are_architectures_but_for_this_machines(
    text: str, wanted: tuple[str, ...]
) -> None:
    assert platforms.read({"PLATFORMS": text}) == wanted
    assert platforms.read({}) == ("",)


def test_another_machine_has_another_platform_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert platforms.read({"PLATFORMS": "linux/amd64,linux/arm64"}) == ("amd64", "")
    assert platforms.name_of(platforms.OWN) == "linux/arm64"


@pytest.mark.parametrize(
    ("text", "message", "tip"),
    [
        ("linux/amd64,", 'PLATFORMS: an empty name in "linux/amd64,"', EXAMPLE),
        (",", 'PLATFORMS: an empty name in ","', EXAMPLE),
        (" ", 'PLATFORMS: an empty name in " "', EXAMPLE),
        (
            "linux/riscv64",
            'PLATFORMS: unknown "linux/riscv64"',
            f"choose from linux/amd64, linux/arm64; {EXAMPLE}",
        ),
        (
            "arm64",
            'PLATFORMS: unknown "arm64"',
            f"choose from linux/amd64, linux/arm64; {EXAMPLE}",
        ),
        (
            "linux/arm64 linux/amd64",
            'PLATFORMS: unknown "linux/arm64 linux/amd64"',
            f"choose from linux/amd64, linux/arm64; {EXAMPLE}",
        ),
        (
            "linux/arm64\x1b[31m",
            'PLATFORMS: unknown "linux/arm64\\x1b[31m"',
            f"choose from linux/amd64, linux/arm64; {EXAMPLE}",
        ),
        ("linux/arm64,linux/arm64", 'PLATFORMS: named twice "linux/arm64"', EXAMPLE),
        ("linux/amd64,linux/amd64", 'PLATFORMS: named twice "linux/amd64"', EXAMPLE),
    ],
)
def test_another_value_is_refused(text: str, message: str, tip: str) -> None:
    with pytest.raises(SutraError) as caught:
        platforms.read({"PLATFORMS": text})
    assert (caught.value.message, caught.value.tip) == (message, tip)


def test_alpine_is_of_this_machines_platform_alone() -> None:
    assert platforms.read({"PLATFORMS": "linux/amd64", "BASE": "alpine"}) == ("",)
    with pytest.raises(SutraError) as caught:
        platforms.read({"PLATFORMS": "linux/amd64,linux/arm64", "BASE": "alpine"})
    assert caught.value.message == (
        "PLATFORMS: BASE=alpine is built for this machine's linux/amd64 alone, "
        'not for "linux/arm64"'
    )
    assert caught.value.tip == "leave PLATFORMS out, or build with BASE=debian"


def test_a_command_may_take_this_machines_platform_alone() -> None:
    platforms.refuse_others({"PLATFORMS": "linux/amd64"}, "rebase")  # raises nothing
    with pytest.raises(SutraError) as caught:
        platforms.refuse_others({"PLATFORMS": "linux/amd64,linux/arm64"}, "rebase")
    assert (caught.value.message, caught.value.tip) == (
        'PLATFORMS: `make rebase` takes this machine\'s linux/amd64 alone, not "linux/arm64"',
        "leave PLATFORMS out",
    )


@pytest.mark.parametrize(
    ("name", "architecture", "image"),
    [
        ("sutra-api", "", "sutra-api"),
        ("arm64/sutra-api", "arm64", "sutra-api"),
        ("team/sutra-api", "", "team/sutra-api"),
        ("arm64", "", "arm64"),
    ],
)
def test_the_name_of_an_image_tells_its_platform(name: str, architecture: str, image: str) -> None:
    assert platforms.split(name) == (architecture, image)
    assert platforms.image_of(name) == image
    assert platforms.image_name(architecture, image) == name


def test_what_is_kept_and_shown_of_another_platform_names_it() -> None:
    assert platforms.suffixed("", "sutra-api") == "sutra-api"
    assert platforms.suffixed("arm64", "sutra-api") == "sutra-api-arm64"
    assert platforms.shown("", "debian:13") == "debian:13"
    assert platforms.shown("arm64", "debian:13") == "debian:13 (linux/arm64)"


def test_names_have_each_architecture_once() -> None:
    names = ["arm64/a", "a", "arm64/b", "b"]
    assert platforms.architectures_of(names) == ("arm64", "")
