"""One image that is in no release: pushed to a real registry, signed, and tagged."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.common.errors import SutraError
from scripts.oci.registry_artifacts import ArtifactRegistry
from scripts.promotion import planned, publish
from scripts.promotion.options import Options
from tests.engine.test_signing import verify
from tests.support import cosign
from tests.support.registries import registry
from tests.support.tiny import Group

RELEASE = {"1.4.2", "1.4", "1", "latest"}


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with registry(tmp_path / "registry") as host:
        yield f"{host}/team"


def published(group: Group, **knobs: str) -> list[str]:
    """Publish the group's second image, and return the tags that moved."""
    options = Options.read({"ALLOW_DIRTY": "1", **knobs})
    identity = str(group.client.images.get(f"{group.api}:prod").id)
    signing = publish.prepared(group.client, group.api, options)
    moves = publish.publish(group.client, group.api, identity, options, signing)
    return [move.tag for move in moves if move.before != move.after]


def names(group: Group, address: str) -> set[str]:
    """Return the tags of the image in the registry, but for what is attached and what is kept."""
    tags = ArtifactRegistry(group.client, address).tags(group.api)
    return {tag for tag in tags if not tag.startswith((planned.KEPT, "sha256-"))}


def test_a_version_is_pushed_and_signed_once(
    group: Group, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group.build("one")
    group.write_bake_file()
    private, public = cosign.key_pair(tmp_path / "keys")
    monkeypatch.setenv("PATH", cosign.on_path(tmp_path / "bin"))
    monkeypatch.setenv("COSIGN_PASSWORD", cosign.PASSWORD)
    knobs = {"VERSION": "1.4.2", "REGISTRY": address, "SIGN_KEY": str(private)}
    moved = published(group, **knobs)
    # an image has its tags only where its signature is already there
    assert [tag.rpartition(".")[2] for tag in moved[:2]] == ["att", "sig"]
    assert names(group, address) == RELEASE
    assert set(group.tags()) >= {f"{group.api}:{tag}" for tag in RELEASE}
    reference = f"{address}/{group.api}:1.4.2"
    assert verify(public, reference, "-a", "version=1.4.2").returncode == 0
    for kind in ("slsaprovenance1", "spdxjson"):
        assert verify(public, reference, "--type", kind).returncode == 0
    # no two signatures of a key are the same bytes: a second takes the first one's place
    attached = {tag for tag in moved if tag.endswith((".att", ".sig"))}
    assert set(published(group, **knobs)) == attached
    assert len(json.loads(verify(public, reference).stdout)) == 1


def test_a_version_of_another_image_stays(group: Group, address: str) -> None:
    group.build("one")
    published(group, VERSION="1.4.2", REGISTRY=address)
    before = ArtifactRegistry(group.client, address).digest(f"{address}/{group.api}:1.4.2")
    group.build("two")
    with pytest.raises(SutraError, match=r'^VERSION: ".*:1\.4\.2" is set already, to '):
        published(group, VERSION="1.4.2", REGISTRY=address)
    # an engine that does not have the version asks the registry
    for tag in RELEASE:
        group.client.api.remove_image(f"{group.api}:{tag}", noprune=True)
    with pytest.raises(SutraError, match=rf'^VERSION: "{address}/.*" is set already, to '):
        published(group, VERSION="1.4.2", REGISTRY=address)
    after = ArtifactRegistry(group.client, address).digest(f"{address}/{group.api}:1.4.2")
    assert before == after
    assert f"{group.api}:latest" not in group.tags()


def test_an_older_version_takes_no_floating_tag(group: Group, address: str) -> None:
    group.build("one")
    published(group, VERSION="1.5.0", REGISTRY=address)
    group.build("two")
    moved = published(group, VERSION="1.4.2", REGISTRY=address)
    assert {tag.rpartition(":")[2] for tag in moved} == {"1.4.2", "1.4"}


def test_a_dry_run_moves_nothing(
    group: Group, address: str, capfd: pytest.CaptureFixture[str]
) -> None:
    group.build("one")
    published(group, REGISTRY=address, DRY_RUN="1")
    assert names(group, address) == set()
    assert set(group.tags()) == {f"{name}:prod" for name in group.names}
    shown = [line.partition(": ")[0] for line in capfd.readouterr().err.splitlines()]
    assert shown == [
        f"would move {address}/{group.api}:latest",
        f"would move {group.api}:latest",
    ]


@pytest.mark.parametrize("knobs", [{"VERSION": "1.4.2"}, {"REGISTRY": "{}"}])
def test_what_no_clean_commit_names_is_not_published(
    group: Group, address: str, knobs: dict[str, str]
) -> None:
    group.build("one")
    knobs = {name: value.format(address) for name, value in knobs.items()}
    with pytest.raises(SutraError, match=r"^git: "):
        published(group, ALLOW_DIRTY="", **knobs)
    assert set(group.tags()) == {f"{name}:prod" for name in group.names}
    # `latest` of the own engine is for who builds it
    assert published(group, ALLOW_DIRTY="") == [f"{group.api}:latest"]


def test_a_key_needs_a_registry(group: Group) -> None:
    options = Options.read({**os.environ, "SIGN_KEY": "key"})
    with pytest.raises(SutraError, match=r'^SIGN_KEY: "key" needs REGISTRY'):
        publish.prepared(group.client, group.api, options)


def test_a_registry_that_does_not_answer_ends_it_before_the_build(group: Group) -> None:
    options = Options.read({"REGISTRY": "127.0.0.1:1/team", "ALLOW_DIRTY": "1"})
    with pytest.raises(SutraError, match=r'^registry: no answer from "127\.0\.0\.1:1" '):
        publish.prepared(group.client, group.api, options)
