"""Signatures that an image already has stay; a document that is not a list of them is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripts.common.errors import RegistryError
from scripts.oci.manifest import digest_of
from scripts.signing import attached
from scripts.signing.attached import CONTENT, Layer
from tests.support.memory_registry import MemoryRegistry

DIGEST = "sha256:" + "a" * 64
OURS = Layer(attached.SIGNATURE, b"payload", {attached.SIGNED: "c2ln"}, "ours")


class Registry(MemoryRegistry):
    """A registry with one manifest of signatures, which keeps every upload."""

    def __init__(self, manifest: bytes) -> None:
        super().__init__()
        self.manifest, self.put = manifest, b""

    def document(self, reference: str) -> tuple[str, bytes]:
        return digest_of(self.manifest), self.manifest

    def put_manifest(self, image: str, kind: str, data: bytes) -> None:
        self.put = data


def stored(*layers: Any) -> list[Any]:
    registry = Registry(json.dumps({"layers": layers}).encode())
    move = attached.store(registry, "sutra-api", DIGEST, "sig", [OURS])
    assert (move.before, move.after) == (
        digest_of(registry.manifest),
        digest_of(registry.put),
    )
    return list(json.loads(registry.put)["layers"])


def test_signatures_of_others_stay_as_they_are() -> None:
    others = [{"digest": "sha256:1"}, {"digest": "sha256:2", "annotations": {CONTENT: "theirs"}}]
    layers = stored(*others, {"digest": "sha256:3", "annotations": {CONTENT: "ours"}})
    assert layers[:2] == others
    assert [layer["annotations"][CONTENT] for layer in layers[2:]] == ["ours"]


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"{}",
        b'{"layers": 1}',
        b'{"layers": ["x"]}',
        b'{"layers": [{"annotations": ["x"]}]}',
        b"[" * 100_000,
    ],
    ids=lambda manifest: manifest[:40].decode(),
)
def test_a_document_that_is_not_a_list_of_signatures_is_refused(manifest: bytes) -> None:
    registry = Registry(manifest)
    with pytest.raises(RegistryError) as caught:
        attached.store(registry, "sutra-api", DIGEST, "sig", [OURS])
    assert caught.value.message == (
        f'registry: not a list of signatures "localhost/team/sutra-api:sha256-{"a" * 64}.sig"'
    )
    assert registry.put == b""
