"""An error's type shows who raised it, and its message is made in one place."""

from __future__ import annotations

import pytest

from scripts.catalog import catalog
from scripts.common.errors import (
    CatalogError,
    DiskError,
    EngineError,
    RegistryError,
    SutraError,
)
from scripts.engine import context
from scripts.oci import registry_tags


@pytest.mark.parametrize("kind", [EngineError, RegistryError, CatalogError, DiskError])
def test_every_kind_is_one_clear_line(kind: type[SutraError]) -> None:
    error = kind("disk is full", "free some")
    assert isinstance(error, SutraError)
    assert error.message.endswith("disk is full")
    assert error.tip == "free some"


def test_the_message_of_an_engine_error_names_where_and_its_problem_does_not() -> None:
    error = EngineError("no answer", "tip")
    assert (error.message, error.problem) == ("engine: no answer", "no answer")
    assert EngineError("odd", where="config.json").message == "config.json: odd"


def test_what_a_full_disk_means_is_at_the_end() -> None:
    error = DiskError("a: cannot be written", "tip", ", nothing was moved")
    assert error.message == "a: cannot be written, nothing was moved"
    assert error.problem == "a: cannot be written"


def test_each_room_raises_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("DOCKER_CONTEXT", "farm")
    with pytest.raises(EngineError, match=r"^engine: no docker client that knows"):
        context.endpoint()
    with pytest.raises(RegistryError, match=r"^REGISTRY: not host/path"):
        registry_tags.check("no registry")
    with pytest.raises(CatalogError, match=r"no such file$"):
        catalog.load(tmp_path_factory.mktemp("empty") / "images.yaml")
