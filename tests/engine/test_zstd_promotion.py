"""COMPRESSION=zstd on a real registry: pulls and rollbacks get the same image."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from scripts.history import ledger
from scripts.oci import sources
from scripts.oci.registry_tags import Registry
from scripts.promotion import promote, rollback
from scripts.promotion.options import Options
from tests.support.registries import registry
from tests.support.tiny import Group

pytestmark = pytest.mark.usefixtures("checks_of_sizes")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as host:
        yield host


def promoted(group: Group, address: str, version: str, compression: str) -> dict[str, str]:
    """Promote a new build; return each image's digest from the ledger."""
    group.build(version)
    knobs = {"ALLOW_DIRTY": "1", "VERSION": version, "REGISTRY": address}
    options = Options.read({**knobs, "COMPRESSION": compression})
    assert promote.verify_and_promote(group.client, options) == 0
    return {name: image.digest for name, image in ledger.read()[-1].images.items()}


def layer_kinds(group: Group, address: str, digest: str) -> set[str]:
    target = Registry(group.client, address)
    document = json.loads(target.manifest(target.reference(group.api, "x"), digest))
    for child in document.get("manifests", ()):
        if "annotations" not in child:
            return layer_kinds(group, address, child["digest"])
    return {layer["mediaType"] for layer in document["layers"]}


def test_who_pulls_it_gets_the_same_files_and_config(group: Group, address: str) -> None:
    digests = promoted(group, address, "1.0.0", "zstd")
    target = Registry(group.client, address)
    reference = target.reference(group.api, "1.0.0")
    assert (
        target.digest(reference)
        == digests[group.api]
        == target.digest(target.reference(group.api, "latest"))
    )
    kinds = layer_kinds(group, address, digests[group.api])
    assert kinds == {"application/vnd.oci.image.layer.v1.tar+zstd"}
    here, there = (
        sources.find(group.client, name) for name in (f"{group.api}:prod", f"registry:{reference}")
    )
    assert here
    assert there
    assert there.diff_ids == here.diff_ids
    group.client.images.pull(f"{address}/{group.api}", "1.0.0")
    try:
        pulled = group.client.images.get(reference).attrs
        ours = group.client.images.get(f"{group.api}:prod").attrs
        assert pulled["RootFS"] == ours["RootFS"]
        assert pulled["Config"] == ours["Config"]
    finally:
        group.client.images.remove(reference)


def test_a_rollback_goes_to_the_same_digests_whatever_they_were_packed_with(
    group: Group, address: str
) -> None:
    seen = [
        promoted(group, address, version, compression)
        for version, compression in (("1.0.0", "gzip"), ("1.0.1", "zstd"), ("1.0.2", "zstd"))
    ]
    target = Registry(group.client, address)
    for expected, compression in ((seen[1], "zstd"), (seen[0], "gzip")):
        assert rollback.rollback(group.client, Options.read({"ALLOW_DIRTY": "1"})) == 0
        latest = {name: target.digest(target.reference(name, "latest")) for name in group.names}
        assert {**latest, group.base: expected[group.base]} == expected
        assert ledger.read()[-1].compression == compression
    assert len({ids[group.api] for ids in seen}) == 3


def test_a_size_over_its_budget_moves_nothing(
    group: Group, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = group.folder / "images.yaml"
    first = promoted(group, address, "1.0.0", "zstd")
    file.write_text(file.read_text().replace("1 MB}\n", "1 MB, download.zstd: 1 B}\n"))
    group.build("1.0.1")
    options = Options.read(
        {"ALLOW_DIRTY": "1", "REGISTRY": address, "COMPRESSION": "zstd", "ALLOW_UNCOMPARED": "1"}
    )
    assert promote.verify_and_promote(group.client, options) == 1
    assert f"images.{group.api}.budget.download.zstd: over budget" in capsys.readouterr().err
    target = Registry(group.client, address)
    assert target.digest(target.reference(group.api, "latest")) == first[group.api]
