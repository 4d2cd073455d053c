"""What a promotion signs besides each image: its bill of materials, and the VEX of vex.yaml."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from scripts.common.errors import SutraError
from scripts.oci.manifest import digest_of
from scripts.promotion.signatures import Signing
from scripts.signing import attached, statements
from tests.support.fixture_images import layer
from tests.support.good_image import good
from tests.support.memory_registry import MemoryRegistry
from tests.unit.fakes import FakeEngine, FakeImage

DIGEST = "sha256:" + "d" * 64
PLAN = {"target": {"sutra-api": {"context": "."}}}
VEX = {"@context": "https://openvex.dev/ns/v0.2.0", "statements": [1]}


class Key:
    """A signer whose signature is the bytes that it signs."""

    public = b"key"
    log = None

    def sign(self, data: bytes) -> str:
        return base64.b64encode(data).decode()


class Registry(MemoryRegistry):
    """Keeps blobs and manifests by digest."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes: dict[str, bytes] = {}

    def put_blob(self, image: str, data: bytes) -> None:
        self.bytes[digest_of(data)] = data

    def put_manifest(self, image: str, kind: str, data: bytes) -> None:
        super().put_manifest(image, kind, data)
        self.put_blob(image, data)

    def document(self, reference: str) -> tuple[str, bytes] | None:
        digest = self.digests.get(reference)
        return (digest, self.bytes[digest]) if digest else None

    def predicates(self, digest: str) -> list[tuple[str, Any]]:
        """Return the type and content of each statement about an image."""
        document = self.document(self.reference("sutra-api", attached.tag_of(digest, "att")))
        assert document
        listed = []
        for signature in json.loads(document[1])["layers"]:
            statement = json.loads(
                base64.b64decode(json.loads(self.bytes[signature["digest"]])["payload"])
            )
            assert statement["subject"][0]["digest"] == {"sha256": digest.removeprefix("sha256:")}
            assert statement["predicateType"] == signature["annotations"][attached.PREDICATE]
            listed.append((statement["predicateType"], statement["predicate"]))
        return listed


def signed(engine: FakeEngine, target: Registry, identity: str, vex: dict[str, Any]) -> None:
    signer: Any = Key()
    client: Any = engine
    store: Any = target
    sign = Signing(signer, PLAN, "").to(client, store, vex)
    for move in sign({("sutra-api", identity): DIGEST}):
        assert move.after
        target.digests[move.tag] = move.after


@pytest.fixture
def api(engine: FakeEngine, folder: Path) -> str:
    subject = good()
    return engine.add(FakeImage([layer(content) for content in subject.layers]), "sutra-api:prod")


def test_the_bill_of_materials_is_derived_from_the_image(engine: FakeEngine, api: str) -> None:
    target = Registry()
    signed(engine, target, api, {})
    kinds = [kind for kind, _ in target.predicates(DIGEST)]
    assert kinds == [statements.PROVENANCE, statements.SPDX]
    bill = target.predicates(DIGEST)[1][1]
    assert bill["documentNamespace"] == f"https://spdx.org/spdxdocs/sutra-api-{api[7:]}"
    assert "one" in {package["name"] for package in bill["packages"]}


def test_one_that_make_sbom_wrote_takes_its_place(engine: FakeEngine, api: str) -> None:
    written = {"spdxVersion": "SPDX-2.3", "documentNamespace": api}
    path = Path(".build/sbom/sutra-api.spdx.json")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(written))
    target = Registry()
    signed(engine, target, api, {})
    assert target.predicates(DIGEST)[1] == (statements.SPDX, written)


def test_vex_of_an_image_replaces_the_earlier_one(engine: FakeEngine, api: str) -> None:
    target = Registry()
    signed(engine, target, api, {"sutra-api": VEX, "sutra-other": {"statements": []}})
    assert (statements.OPENVEX, VEX) in target.predicates(DIGEST)
    other = {**VEX, "statements": [1, 2]}
    signed(engine, target, api, {"sutra-api": other})
    said = target.predicates(DIGEST)
    assert [content for kind, content in said if kind == statements.OPENVEX] == [other]
    assert len(said) == 3


def test_an_image_that_is_gone_is_not_signed(engine: FakeEngine, api: str) -> None:
    target = Registry()
    del engine.by_id[api]
    with pytest.raises(SutraError) as caught:
        signed(engine, target, api, {})
    assert api in caught.value.message
    assert target.digests == {}
