"""What each of ten kinds of image breaks is right, or explained in docs/adopt.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.catalog import foreign as catalogues
from scripts.checks import foreign
from scripts.common.check_result import CheckResult
from scripts.common.errors import SutraError
from tests.conftest import ROOT
from tests.support.fixture_images import Files, Item, Made
from tests.support.foreign_images import KINDS

EVERYWHERE = {"healthcheck", "labels"}
TABLE = re.compile(r"<!-- kinds -->\n(.*?)<!-- /kinds -->", re.DOTALL)


def verified(folder: Path, subject: Made, promises: str = "images: {web: {}}") -> list[CheckResult]:
    """Return the checks of an image by the one entry of a foreign catalogue."""
    catalogue = catalogues.parse(Path("images.yaml"), promises)
    file = subject.save(folder / "image.tar")
    (image,) = catalogue.promises.images
    return foreign.verify(catalogue, image, f"archive:{file}", folder / "cache")


def documented() -> dict[str, tuple[str, str]]:
    """Return what the table says of each kind: the rules, and why that is right."""
    table = TABLE.search((ROOT / "docs/adopt.md").read_text())
    assert table
    rows = [line.strip("|").split(" | ") for line in table[1].splitlines()[2:]]
    return {kind.strip(): (rules, why.strip()) for kind, rules, why in rows}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_kind_breaks_is_in_the_table(kind: str, folder: Path) -> None:
    results = verified(folder, KINDS[kind]())
    broken = [result.name.partition(".")[2] for result in results if not result.ok]
    assert set(broken) >= EVERYWHERE
    rules, why = documented()[kind]
    assert rules == (
        ", ".join(f"`{rule}`" for rule in broken if rule not in EVERYWHERE) or "nothing"
    )
    assert why.endswith(".")


def test_the_table_has_every_kind() -> None:
    assert list(documented()) == list(KINDS)


def test_all_that_a_kind_breaks_can_be_allowed_with_reasons(folder: Path) -> None:
    results = verified(folder, KINDS["pip install on Debian"]())
    broken = [result.name.partition(".")[2] for result in results if not result.ok]
    rules = ", ".join(f"{rule}: {{skip: true, because: Debian's own}}" for rule in broken)
    allowed = verified(
        folder, KINDS["pip install on Debian"](), f"images: {{web: {{contents: {{{rules}}}}}}}"
    )
    assert [result.detail for result in allowed if not result.ok] == []
    assert sum(result.problem == "skipped: Debian's own" for result in allowed) == len(broken)


def test_the_layers_of_a_hundred_are_all_counted(folder: Path) -> None:
    """One more file of a thousand bytes in each but the first and the last."""
    (installed,) = (
        result for result in verified(folder, KINDS["100 layers"]()) if result.name == "installed"
    )
    assert installed.actual is not None
    assert installed.actual > 98 * 1000


@pytest.mark.parametrize(
    ("layers", "count"), [([], 0), ([{}], 1), ([{"tmp": Item(kind="folder")}, {}], 2)]
)
def test_an_image_without_files_is_refused(folder: Path, layers: list[Files], count: int) -> None:
    with pytest.raises(SutraError) as caught:
        verified(folder, Made(layers))
    file = f"archive:{folder / 'image.tar'}"
    assert caught.value.message == f'{file}: image without files, layers: "{count}"'
    assert caught.value.tip == "every rule would pass; save or build the image again"


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({"XDG_CACHE_HOME": "/c"}, Path("/c/sutra-images")),
        ({"XDG_CACHE_HOME": ""}, Path.home() / ".cache/sutra-images"),
        ({}, Path.home() / ".cache/sutra-images"),
    ],
)
def test_layers_are_remembered_in_the_users_cache(environment: dict[str, str], place: Path) -> None:
    assert foreign.cache_folder(environment) == place


def test_without_a_home_the_cache_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(SutraError) as caught:
        foreign.cache_folder({})
    assert caught.value.message == "HOME: no home folder"


def homeless() -> Path:
    raise RuntimeError
