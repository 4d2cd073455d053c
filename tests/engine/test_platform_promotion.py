"""Two platforms of each image on a real registry: one index a tag, moved as an image is."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.common import platforms
from scripts.common.errors import SutraError
from scripts.engine import images
from scripts.history import journal, ledger
from scripts.oci import manifest, sources
from scripts.oci.registry_artifacts import ArtifactRegistry
from scripts.oci.registry_tags import Registry
from scripts.promotion import promote, rollback
from scripts.promotion.options import Options
from tests.support import cosign
from tests.support.registries import registry
from tests.support.tiny import Group, archive

pytestmark = pytest.mark.usefixtures("checks_of_sizes")
# lists of signatures and of statements: of three images, each of two platforms and an index
EVERY_LIST = 3 * (2 + 1) * 2
OTHER = next(
    architecture
    for architecture in platforms.ARCHITECTURES
    if architecture != platforms.own_architecture()
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.fixture
def pair(group: Group, monkeypatch: pytest.MonkeyPatch) -> Iterator[Group]:
    """A group of which each build has both platforms."""
    monkeypatch.setenv("PLATFORMS", ",".join(platforms.KNOWN))
    yield group
    for name in group.names:
        for tag in images.repository_tags(group.client, f"{OTHER}/{name}"):
            images.untag(group.client, f"{OTHER}/{name}:{tag}")


def build(group: Group, content: str) -> None:
    group.build(content)
    for name in group.names:
        group.client.api.import_image_from_data(
            archive(f"{OTHER} {name} {content}"),
            repository=f"{OTHER}/{name}",
            tag="prod",
            changes=["LABEL a=b"],
        )


def promoted(group: Group, address: str, version: str, **knobs: str) -> None:
    build(group, version)
    options = {"ALLOW_DIRTY": "1", "VERSION": version, "REGISTRY": address, **knobs}
    assert promote.verify_and_promote(group.client, Options.read(options)) == 0


def index(group: Group, address: str, tag: str) -> tuple[str, dict[str, str]]:
    """Return the digest of a tag of the API, and the digest that it names for each architecture."""
    target = Registry(group.client, address)
    digest = target.digest(target.reference(group.api, tag))
    assert digest
    return digest, children(group, address, group.api, tag)


def children(group: Group, address: str, name: str, tag: str) -> dict[str, str]:
    """Return the digests of an index by their architecture."""
    target = Registry(group.client, address)
    place = target.reference(name, tag)
    digest = target.digest(place)
    assert digest
    listed = json.loads(target.manifest(place, digest))["manifests"]
    return {child["platform"]["architecture"]: child["digest"] for child in listed}


def test_one_tag_has_both_platforms_and_each_reader_gets_its_own(
    pair: Group, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoted(pair, address, "1.0.0")
    digest, children = index(pair, address, "1.0.0")
    assert list(children) == list(platforms.ARCHITECTURES)
    assert index(pair, address, "latest") == index(pair, address, "1.0") == (digest, children)
    last = ledger.read()[-1]
    assert [last.images[name].digest for name in (pair.api, f"{OTHER}/{pair.api}")] == [digest] * 2
    for name in platforms.KNOWN:
        monkeypatch.setenv("PLATFORMS", name)
        (architecture,) = platforms.read({"PLATFORMS": name})
        image = sources.find(None, f"registry:{address}/{pair.api}:1.0.0")
        here = sources.find(pair.client, f"{platforms.image_name(architecture, pair.api)}:prod")
        assert image
        assert here
        assert image.diff_ids == here.diff_ids
        assert image.id == children[name.partition("/")[2]]


def test_the_engine_has_tags_of_each_platform(pair: Group, address: str) -> None:
    promoted(pair, address, "2.0.0")
    for name in (pair.api, f"{OTHER}/{pair.api}"):
        ids = {
            str(pair.client.images.get(f"{name}:{tag}").id)
            for tag in ("prod", "latest", "2.0.0", "2.0", "2")
        }
        assert ids == {ledger.read()[-1].images[name].id}


def test_a_rollback_goes_back_to_the_same_index_whatever_platforms_says(
    pair: Group, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoted(pair, address, "3.0.0")
    before = index(pair, address, "latest")
    promoted(pair, address, "3.1.0")
    assert index(pair, address, "latest") != before
    monkeypatch.delenv("PLATFORMS")
    assert rollback.rollback(pair.client, Options.read({"REGISTRY": address})) == 0
    assert index(pair, address, "latest") == before
    assert index(pair, address, "3.1.0") != before
    assert ledger.read()[-1].images[f"{OTHER}/{pair.api}"].digest == before[0]


def test_layers_packed_by_zstd_are_in_an_index_too(pair: Group, address: str) -> None:
    promoted(pair, address, "4.0.0", COMPRESSION="zstd")
    before = index(pair, address, "latest")
    target = Registry(pair.client, address)
    for digest in before[1].values():
        document = json.loads(target.manifest(target.reference(pair.api, "latest"), digest))
        assert {layer["mediaType"] for layer in document["layers"]} == {
            "application/vnd.oci.image.layer.v1.tar+zstd"
        }
    promoted(pair, address, "4.1.0")
    assert rollback.rollback(pair.client, Options.read({"REGISTRY": address})) == 0
    assert index(pair, address, "latest") == before


def test_promoting_the_same_images_again_moves_nothing(pair: Group, address: str) -> None:
    promoted(pair, address, "5.0.0")
    before = index(pair, address, "5.0.0")
    options = Options.read({"ALLOW_DIRTY": "1", "VERSION": "5.0.0", "REGISTRY": address})
    assert promote.verify_and_promote(pair.client, options) == 0
    assert index(pair, address, "5.0.0") == before
    dry = Options.read(
        {"ALLOW_DIRTY": "1", "VERSION": "5.0.0", "REGISTRY": address, "DRY_RUN": "1"}
    )
    assert promote.verify_and_promote(pair.client, dry) == 0


def test_a_registry_that_takes_no_index_moves_no_tag(
    pair: Group, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that knows manifests alone refuses the type."""
    promoted(pair, address, "6.0.0")
    before, tags = index(pair, address, "latest"), pair.tags("kept-", "prod")
    build(pair, "6.1.0")
    whole = Registry._ask

    def refusing(self: Registry, method: str, *words: Any, **more: Any) -> object:
        answer, body = whole(self, method, *words, **more)
        sent = next((word for word in words if isinstance(word, dict)), {})
        if method == "PUT" and sent.get("Content-Type") == manifest.INDEXES[0]:
            answer.status_code, answer.reason = 415, "Unsupported Media Type"
        return answer, body

    monkeypatch.setattr(Registry, "_ask", refusing)
    options = Options.read({"ALLOW_DIRTY": "1", "VERSION": "6.1.0", "REGISTRY": address})
    with pytest.raises(SutraError) as caught:
        promote.verify_and_promote(pair.client, options)
    assert (caught.value.message, caught.value.tip) == (
        f'registry: takes no index of several platforms "{address}/{pair.base}": '
        "415 Unsupported Media Type",
        "promote to a registry that does, or one platform alone: without PLATFORMS",
    )
    assert index(pair, address, "latest") == before
    assert pair.tags("kept-", "prod") == tags
    assert not journal.JOURNAL.exists()


# ---- with a key --------------------------------------------------------------


@pytest.fixture
def keys(pair: Group, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A key, with cosign and its password."""
    pair.write_bake_file()
    monkeypatch.setenv("PATH", cosign.on_path(tmp_path / "bin"))
    monkeypatch.setenv("COSIGN_PASSWORD", cosign.PASSWORD)
    return cosign.key_pair(tmp_path / "keys")


def verified(public: Path, reference: str, *words: str) -> list[Any]:
    """Return what cosign prints of each signature or statement; it has to find one."""
    kind = "verify-attestation" if words else "verify"
    options = ["--key", str(public), "--allow-http-registry", "--insecure-ignore-tlog=true"]
    command = ["cosign", kind, *options, *words, reference]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{reference} {words}: {done.stderr}"
    return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]


def attached_tags(pair: Group, address: str) -> set[str]:
    target = Registry(pair.client, address)
    return {
        f"{name}:{tag}"
        for name in pair.names
        for tag in target.tags(name)
        if tag.startswith("sha256-")
    }


def test_the_index_and_every_platform_of_it_are_signed_with_their_statements(
    pair: Group, address: str, keys: tuple[Path, Path]
) -> None:
    promoted(pair, address, "7.0.0", SIGN_KEY=str(keys[0]))
    last = ledger.read()[-1]
    digests = {(platforms.image_of(name), image.digest) for name, image in last.images.items()}
    digests |= {
        (name, digest)
        for name in pair.names
        for digest in children(pair, address, name, "7.0.0").values()
    }
    assert len(digests) == len(pair.names) * (len(platforms.KNOWN) + 1)
    for name, digest in sorted(digests):
        reference = f"{address}/{name}@{digest}"
        [[signed]] = verified(keys[1], reference)
        assert signed["critical"]["image"] == {"docker-manifest-digest": digest}
        for kind in ("slsaprovenance1", "spdxjson") if name == pair.api else ():
            assert len(verified(keys[1], reference, "--type", kind)) == 1
    # people name the tag, and cosign resolves it to the index
    assert len(verified(keys[1], f"{address}/{pair.api}:7.0.0")) == 1


def test_one_signature_that_cannot_be_stored_leaves_no_tag_and_no_signature(
    pair: Group, address: str, keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of the last index: those of all platforms are stored by then."""
    promoted(pair, address, "8.0.0")
    before, signed = index(pair, address, "latest"), attached_tags(pair, address)
    tags = pair.tags("kept-", "prod")
    build(pair, "8.1.0")
    whole, stored = ArtifactRegistry.put_manifest, []

    def failing(self: ArtifactRegistry, image: str, kind: str, data: bytes) -> None:
        stored.append(image)
        if len(stored) == EVERY_LIST:
            raise SutraError("registry: full", "free its disk")
        whole(self, image, kind, data)

    monkeypatch.setattr(ArtifactRegistry, "put_manifest", failing)
    with pytest.raises(SutraError) as caught:
        promoted(pair, address, "8.1.0", SIGN_KEY=str(keys[0]))
    assert caught.value.message == "registry: full"
    assert len(stored) == EVERY_LIST
    assert index(pair, address, "latest") == before
    assert attached_tags(pair, address) == signed
    assert pair.tags("kept-", "prod") == tags
    assert not journal.JOURNAL.exists()
