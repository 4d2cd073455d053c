from __future__ import annotations

from pathlib import Path

import pytest

from scripts.__main__ import main as front_door
from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.common.errors import SutraError
from scripts.image import read_layers
from scripts.oci.layer import Measured
from scripts.report import readme_tables
from tests.unit.fakes import FakeEngine, FakeImage, tar_of

PROMISES = Catalog(
    Path("images.yaml"),
    (Image("sutra-base-rust-runtime", Budget(1, 1)), Image("sutra-api", Budget(1, 1))),
    Budget(1, 1),
)
CATALOG = """\
release: {budget: {installed: 9 MB, download: 9 MB}}
images:
  sutra-base-rust-runtime: {budget: {installed: 9 MB, download: 9 MB}}
  sutra-api: {budget: {installed: 9 MB, download: 9 MB}}
"""
SAVINGS = """\
| image | development | production | saved |
|---|--:|--:|--:|
| sutra-base-rust-runtime | 4.0 MB | 1.0 MB | 75.0% |
| sutra-api | 2.0 MB | 1.5 MB | 25.0% |"""
TEXT = "# Title\n<!-- sizes -->\n{}<!-- /sizes -->\nThe end: \\1 and \\g<2>.\n"


def image(size: int) -> FakeImage:
    return FakeImage([tar_of({"file": bytes(size)})])


@pytest.fixture
def built(engine: FakeEngine, folder: Path) -> FakeEngine:
    """Two images, for production and for development; a README without figures."""
    engine.chunk = 1 << 20
    engine.add(image(1_000_000), "sutra-base-rust-runtime:prod")
    engine.add(image(4_000_000), "sutra-base-rust:dev")
    engine.add(image(1_500_000), "sutra-api:prod")
    engine.add(image(2_000_000), "sutra-api:dev")
    (folder / "images.yaml").write_text(CATALOG)
    (folder / "README.md").write_text(TEXT.format("old\n"))
    return engine


def measured(engine: FakeEngine) -> dict[str, Measured]:
    images = {
        image.name: read_layers.measure(engine, f"{image.name}:prod") for image in PROMISES.images
    }
    return {name: sizes for name, sizes in images.items() if sizes}


def test_savings_are_reported_by_installed_sizes(built: FakeEngine) -> None:
    assert readme_tables.savings(built, PROMISES, measured(built)) == SAVINGS


@pytest.mark.parametrize("missing", ["sutra-api:dev", "sutra-base-rust:dev"])
def test_a_development_image_that_is_not_built_is_refused(built: FakeEngine, missing: str) -> None:
    del built.tags[missing]
    with pytest.raises(SutraError) as caught:
        readme_tables.savings(built, PROMISES, measured(built))
    assert caught.value.message == f'readme: not built "{missing}"'
    assert caught.value.tip == "run `make dev`"


def test_main_writes_the_block_and_nothing_else(
    built: FakeEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.engine.client.connect", lambda: built)
    assert front_door(["readme"]) == 0
    before, after = TEXT.split("{}")
    text = (folder / "README.md").read_text()
    assert text.startswith(before + "| image |")
    assert text.endswith(f"\n\n{SAVINGS}\n{after}")
    assert text.count("| sutra-api |") == 2
    assert not (folder / "README.partial").exists()
    assert front_door(["readme"]) == 0
    assert (folder / "README.md").read_text() == text


def test_a_readme_without_the_block_is_refused(
    built: FakeEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.engine.client.connect", lambda: built)
    (folder / "README.md").write_text("# Title\n<!-- sizes -->\n")
    with pytest.raises(SutraError) as caught:
        front_door(["readme"])
    assert caught.value.message == "README.md: no <!-- sizes --> block"
    assert caught.value.tip == "put the two markers back"
    assert (folder / "README.md").read_text() == "# Title\n<!-- sizes -->\n"
