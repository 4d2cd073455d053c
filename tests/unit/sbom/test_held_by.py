from __future__ import annotations

from pathlib import Path

import pytest

from scripts.sbom import held_by
from scripts.sbom.held_by import Holders

SLICES = {"sutra-base-python": ("libc6",)}
ON = {"api": "sutra-base-python", "hybrid": "sutra-base-python"}
PROMOTED = {"sutra-base-python": 10, "api": 15, "hybrid": 40, "storage": 3, "odd": 5}


@pytest.fixture(autouse=True)
def _base(folder: Path) -> None:
    (folder / "base-images").mkdir()
    text = "FROM x\nRUN /lib/sutra/slice.sh /rootfs \\\n      libc6\n"
    (folder / "base-images/python-prod.Dockerfile").write_text(text)


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (("sutra-base-python", "api", "hybrid"), 10),  # the base's layer, once for all
        (("api", "hybrid"), 5 + 30),  # each service's own layers
        (("storage",), 3),
        (("none",), None),
        (("api", "none"), None),
    ],
)
def test_what_a_pull_costs(images: tuple[str, ...], expected: int | None) -> None:
    assert Holders(SLICES, ON, PROMOTED).pull(images) == expected


def test_a_service_smaller_than_its_base_has_no_known_cost() -> None:
    assert Holders(SLICES, {"odd": "sutra-base-python"}, PROMOTED).pull(("odd",)) is None


def test_services_are_on_the_base_of_their_last_stage(folder: Path) -> None:
    for name, text in {
        "one": "FROM sutra-base-python:latest AS deps\nFROM sutra-base-python:prod\n",
        "two": "FROM sutra-base-python:latest\nFROM scratch\n",
        "none": "",
    }.items():
        (folder / f"packages/{name}").mkdir(parents=True)
        (folder / f"packages/{name}/Dockerfile.prod").write_text(text)
    holders = held_by.read(["one", "two", "none", "gone"])
    assert holders == Holders(SLICES, {"one": "sutra-base-python"}, {})
    (folder / "base-images/python-prod.Dockerfile").unlink()  # it was read, and is read no more
    assert holders.of("libc6") == ("sutra-base-python", "one")
    assert holders.of("other") == ()


def test_before_the_first_promotion_no_size_is_known() -> None:
    assert held_by.read([]) == Holders(SLICES, {}, {})
