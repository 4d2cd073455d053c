"""A key that cannot be opened is reported before anything is checked; the engine tests sign."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.common.errors import SutraError
from scripts.signing import cosign
from tests.unit.fakes import program


@pytest.fixture
def on_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cosign that accepts one password; returns the folder of the keys."""
    script = '[ "$COSIGN_PASSWORD" = right ] || { echo "Error: reading key: no" >&2; exit 1; }\n'
    program(folder / "bin", "cosign", script + "echo public\n")
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("COSIGN_PASSWORD", "right")
    (folder / "sutra.key").touch()
    return folder


def refused(key: str, environment: dict[str, str]) -> tuple[str, str]:
    with pytest.raises(SutraError) as caught:
        cosign.open_key(key, environment)
    return caught.value.message, caught.value.tip


def test_a_key_is_opened_by_its_password(on_path: Path) -> None:
    assert cosign.open_key("sutra.key", {"COSIGN_PASSWORD": "right"}).public == b"public\n"


def test_without_cosign(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    assert refused("sutra.key", {}) == (
        "SIGN_KEY: needs cosign, which is not on PATH",
        "install it: Debian 13's package `cosign` (its one binary runs on 12 as well)",
    )


def test_a_missing_key(on_path: Path) -> None:
    assert refused("none.key", {"COSIGN_PASSWORD": ""}) == (
        'SIGN_KEY: no such file "none.key"',
        "`cosign generate-key-pair` makes one",
    )


@pytest.mark.parametrize("environment", [{}, {"KEY": ""}])
def test_a_variable_without_a_key(on_path: Path, environment: dict[str, str]) -> None:
    assert refused("env://KEY", environment) == (
        'SIGN_KEY: "env://KEY": the variable is not set, or empty',
        "`export KEY`; on GitHub, a secret of that name that the job may read",
    )


def test_no_password(on_path: Path) -> None:
    assert refused("sutra.key", {}) == (
        'COSIGN_PASSWORD: not set, and "sutra.key" is opened by it',
        "`read -rs COSIGN_PASSWORD; export COSIGN_PASSWORD`, then run the same command again",
    )


def test_a_password_that_everyone_can_read(on_path: Path) -> None:
    knobs = {"COSIGN_PASSWORD": "right", "MAKEFLAGS": " -- COSIGN_PASSWORD=right"}
    message, tip = refused("sutra.key", knobs)
    assert message == (
        "COSIGN_PASSWORD: given as an argument, which every process of this machine can read"
    )
    assert "right" not in tip


def test_a_password_that_does_not_fit(on_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSIGN_PASSWORD", "wrong")
    assert refused("sutra.key", {"COSIGN_PASSWORD": "wrong"}) == (
        'SIGN_KEY: "sutra.key": cosign cannot use it: no',
        "check that file, and that COSIGN_PASSWORD is its password",
    )
