"""Store artifacts that no engine pushes in a registry in memory."""

from __future__ import annotations

import pytest

from scripts.common.errors import SutraError
from scripts.oci.registry_artifacts import ArtifactRegistry
from scripts.signing import attached
from tests.unit.oci.test_registry_tags import CLIENT, DIGEST, KEEPERS, KIND, MANIFEST, Server
from tests.unit.oci.test_registry_tags import server as server

UPLOADS = "/v2/team/api/blobs/uploads/"


@pytest.fixture
def target(server: Server, monkeypatch: pytest.MonkeyPatch) -> ArtifactRegistry:
    monkeypatch.setenv("DOCKER_CONFIG", "/nonexistent")
    return ArtifactRegistry(CLIENT, f"{server.address}/team")


@pytest.mark.parametrize("host", ["", "http://{}"])
def test_a_blob_goes_where_the_registry_says(
    target: ArtifactRegistry, server: Server, host: str
) -> None:
    place = host.format(server.address) + UPLOADS + "1?state=a"
    server.answers[UPLOADS] = (202, {"Location": place}, b"")
    target.put_blob("api", MANIFEST)
    assert server.manifests == {UPLOADS + "1": MANIFEST}
    assert server.seen == [
        ("HEAD", f"/v2/team/api/blobs/{DIGEST}", ""),
        ("POST", UPLOADS, ""),
        ("PUT", f"{UPLOADS}1?state=a&digest={DIGEST}", MANIFEST.decode()),
    ]


def test_a_blob_that_is_there_is_not_sent(target: ArtifactRegistry, server: Server) -> None:
    server.manifests[f"/v2/team/api/blobs/{DIGEST}"] = MANIFEST
    target.put_blob("api", MANIFEST)
    assert [method for method, _, _ in server.seen] == ["HEAD"]


def test_bytes_are_sent_to_no_other_host(target: ArtifactRegistry, server: Server) -> None:
    server.answers[UPLOADS] = (202, {"Location": "http://example.org/uploads/1"}, b"")
    with pytest.raises(SutraError) as caught:
        target.put_blob("api", MANIFEST)
    assert caught.value.message == (
        f'registry: cannot push {DIGEST} to "{server.address}/team/api": '
        'it takes uploads at another host, "example.org"'
    )
    assert caught.value.tip == KEEPERS


def test_a_manifest_is_stored_by_its_digest(target: ArtifactRegistry, server: Server) -> None:
    target.put_manifest("api", KIND, MANIFEST)
    assert server.manifests == {f"/v2/team/api/manifests/{DIGEST}": MANIFEST}


def test_a_manifest_that_a_registry_does_not_keep(target: ArtifactRegistry, server: Server) -> None:
    server.puts = lambda path, body: None
    with pytest.raises(SutraError) as caught:
        target.put_manifest("api", KIND, MANIFEST)
    assert caught.value.message == (
        f'registry: cannot push {DIGEST} to "{server.address}/team/api": it is not there afterwards'
    )
    assert caught.value.tip == KEEPERS


def test_what_is_attached_to_another_platform_is_where_its_tag_is(
    target: ArtifactRegistry, server: Server
) -> None:
    server.answers[UPLOADS] = (202, {"Location": UPLOADS + "1"}, b"")
    layer = attached.Layer(attached.SIGNATURE, b"payload", {}, "content")
    move = attached.store(target, "arm64/api", DIGEST, "sig", [layer])
    target.move(move.tag, move.after)
    name = attached.tag_of(DIGEST, "sig")
    assert move.tag == f"{server.address}/team/api:{name}"
    stored = server.manifests[f"/v2/team/api/manifests/{move.after}"]
    assert server.manifests[f"/v2/team/api/manifests/{name}"] == stored
    assert all(path.startswith("/v2/team/api/") for _, path, _ in server.seen)
