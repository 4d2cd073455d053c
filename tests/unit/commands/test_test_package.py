"""Which service's tests are meant; a wrong name ends the command before an engine is asked."""

from __future__ import annotations

import pytest

from scripts.__main__ import main as front_door
from scripts.commands import test_package as command
from scripts.common.errors import SutraError
from scripts.services import service_parts
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def _product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("word", ["sutra-storage-server", "sutra-storage"])
def test_a_service_is_called_by_its_image_or_its_folder(word: str) -> None:
    assert command.named(word) == "sutra-storage-server"


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("", "PACKAGE: missing"),
        ("sutra-service", 'PACKAGE: no such service "sutra-service"'),
        ("a\nb", 'PACKAGE: no such service "a\\nb"'),
    ],
)
def test_another_word_is_refused_with_the_names_that_there_are(word: str, problem: str) -> None:
    with pytest.raises(SutraError) as caught:
        front_door(["test-package", word])
    names = " ".join(service.name for service in service_parts.listed())
    assert (caught.value.message, caught.value.tip) == (problem, f"one of: {names}")
