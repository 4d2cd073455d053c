from __future__ import annotations

from pathlib import Path

import pytest

from scripts.common.errors import SutraError
from scripts.engine import buildx
from scripts.engine.buildx import bake, bake_plan, find_client
from tests.unit.engine.stand_ins import TIP
from tests.unit.fakes import program

WORKS = '[ "$1 $2" = "buildx version" ]\n'


def test_the_first_client_with_buildx_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = program(tmp_path / "one", "docker", "exit 1\n")
    with_plugin = program(tmp_path / "two", "docker", WORKS)
    third = program(tmp_path / "three", "docker", WORKS)
    monkeypatch.setenv("PATH", str(without.parent))
    monkeypatch.setattr(buildx, "CLIENTS", ("docker", str(with_plugin), str(third)))
    assert find_client() == str(with_plugin)


def test_a_client_on_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = program(tmp_path / "one", "docker", WORKS)
    other = program(tmp_path / "two", "docker", WORKS)
    monkeypatch.setenv("PATH", str(first.parent))
    monkeypatch.setattr(buildx, "CLIENTS", ("docker", str(other)))
    assert find_client() == str(first)


def test_a_client_that_the_caller_names_comes_before_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path = program(tmp_path / "one", "docker", WORKS)
    named = program(tmp_path / "two", "mine", WORKS)
    monkeypatch.setenv("PATH", str(on_path.parent))
    monkeypatch.setenv("DOCKER", str(named))
    assert find_client() == str(named)


def test_a_client_that_works_is_tried_once_and_one_that_does_not_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = tmp_path / "tried"
    client = program(tmp_path / "one", "docker", f"echo x >>{tried}; [ -e {tmp_path}/plugin ]\n")
    monkeypatch.setenv("PATH", str(client.parent))
    monkeypatch.setattr(buildx, "CLIENTS", ("docker",))
    with pytest.raises(SutraError):
        find_client()
    (tmp_path / "plugin").touch()
    assert [find_client() for _ in range(3)] == [str(client)] * 3
    assert tried.read_text() == "x\n" * 2


@pytest.mark.parametrize("scripts", [[], ["exit 1\n"], ["exit 1\n", "exit 2\n"]])
def test_no_client_with_buildx_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scripts: list[str]
) -> None:
    clients = [program(tmp_path / str(at), "docker", text) for at, text in enumerate(scripts)]
    monkeypatch.setenv("PATH", str(tmp_path / "0"))
    monkeypatch.setattr(buildx, "CLIENTS", ("docker", *map(str, clients[1:])))
    with pytest.raises(SutraError) as caught:
        find_client()
    assert caught.value.message == "engine: no docker client with a working buildx plugin"
    assert caught.value.tip == TIP


@pytest.fixture
def buildx_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker client that records its arguments and knobs, and runs `script`."""
    client = program(
        tmp_path,
        "docker",
        '[ "$2" = version ] && exit 0\n'
        f"printf '%s\\n' \"$@\" > {tmp_path}/words\n"
        f"env > {tmp_path}/environment\n"
        f". {tmp_path}/script\n",
    )
    (tmp_path / "script").write_text("echo '{\"target\": {}}'")
    monkeypatch.setenv("DOCKER", str(client))
    return tmp_path


def test_a_plan_is_what_buildx_prints(buildx_program: Path) -> None:
    assert bake_plan(["prod", "dev"], {"CA_BUNDLE": "/ca.pem"}) == {"target": {}}
    assert (buildx_program / "words").read_text().splitlines() == [
        "buildx",
        "bake",
        "-f",
        "docker-bake.hcl",
        "--print",
        "prod",
        "dev",
    ]
    assert "CA_BUNDLE=/ca.pem" in (buildx_program / "environment").read_text().splitlines()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            'echo "#1 reading" >&2; echo "ERROR: failed to find target x" >&2; exit 1',
            "failed to find target x",
        ),
        ('echo "docker-bake.hcl:3: unknown" >&2; exit 1', "docker-bake.hcl:3: unknown"),
    ],
)
def test_a_bake_file_that_buildx_refuses_is_one_clear_line(
    buildx_program: Path, script: str, reason: str
) -> None:
    (buildx_program / "script").write_text(script)
    with pytest.raises(SutraError) as caught:
        bake_plan(["x"], {})
    assert caught.value.message == f"docker-bake.hcl: {reason}"
    assert caught.value.tip == "fix it, then run `make build` again"


def test_a_build_passes_overrides_and_knobs(
    buildx_program: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (buildx_program / "script").write_text('echo "#1 DONE" >&2; echo "ERROR: boom" >&2; exit 3')
    assert bake(["prod"], ["a.tags=a:x", "b.tags=b:x"], {"VERSION": "1"}) == (
        3,
        ["#1 DONE", "ERROR: boom"],
    )
    assert capfd.readouterr() == ("", "#1 DONE\nERROR: boom\n")
    assert (buildx_program / "words").read_text().splitlines() == [
        "buildx",
        "bake",
        "-f",
        "docker-bake.hcl",
        "--set",
        "a.tags=a:x",
        "--set",
        "b.tags=b:x",
        "prod",
    ]
    environment = (buildx_program / "environment").read_text().splitlines()
    assert {
        "VERSION=1",
        "BUILDX_NO_DEFAULT_ATTESTATIONS=1",
        "BUILDX_BAKE_ENTITLEMENTS_FS=0",
    } <= set(environment)
