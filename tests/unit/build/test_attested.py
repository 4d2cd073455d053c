"""A builder that cannot attach anything is refused before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.__main__ import main as front_door
from scripts.common.errors import SutraError
from scripts.engine import builders, client
from tests.unit.fakes import FakeEngine
from tests.unit.promotion.test_promote import CATALOG


@pytest.fixture(autouse=True)
def _own_buildkit(engine: FakeEngine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine's own BuildKit, and promises."""
    (folder / "images.yaml").write_text(CATALOG)
    monkeypatch.setattr(client, "connect", lambda: engine)
    monkeypatch.setattr(builders, "find", lambda _: builders.OWN)


def problem(*words: str) -> tuple[str, str]:
    with pytest.raises(SutraError) as caught:
        front_door(["attest", *words])
    return caught.value.message, caught.value.tip


def test_the_engine_s_own_buildkit_is_refused() -> None:
    assert problem("sutra-api", "--registry", "localhost:5000/me") == (
        "attest: the engine's own BuildKit pushes nothing by its digest",
        "BUILDER=… names another (docs/build-farm.md); "
        "`make promote SIGN_KEY=…` attaches a signed bill with any builder",
    )


def test_an_attestation_needs_a_registry() -> None:
    assert problem("sutra-api") == (
        "attest: needs REGISTRY: an engine keeps no attestation",
        "such as REGISTRY=localhost:5000/me",
    )


def test_another_image_than_the_catalogue_has() -> None:
    assert problem("sutra-apu", "--registry", "localhost:5000/me")[0] == (
        'images.yaml: images: no such image "sutra-apu", did you mean "sutra-api"?'
    )
