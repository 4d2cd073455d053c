"""One tag for all platforms of an image: an OCI index of the manifests that were pushed.

The index of the same manifests is the same bytes, so that a rollback makes the earlier one again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from scripts.common import platforms
from scripts.common.platforms import OWN
from scripts.history.ledger import Entry
from scripts.oci.manifest import INDEXES, MANIFESTS, Document, digest_of
from scripts.oci.registry_tags import Registry
from scripts.promotion.planned import KEPT, Plan

INDEX = INDEXES[0]
# digest of a pushed manifest, by architecture
Manifests = Mapping[str, str]
# digest by the engine's (image, id)
Digests = Mapping[tuple[str, str], str]


def groups(target: Registry, plan: Plan) -> dict[str, dict[str, tuple[str, str]]]:
    """Return the (image, id) of each of the registry's references, by architecture."""
    pairs: dict[str, dict[str, tuple[str, str]]] = {}
    for (name, tag), identity in plan.identities.items():
        architecture, _ = platforms.split(name)
        pairs.setdefault(target.reference(name, tag), {})[architecture] = (name, identity)
    return pairs


def is_needed(architectures: Iterable[str]) -> bool:
    """Return whether images of these architectures are in an index: not those of this machine."""
    return set(architectures) != {OWN}


def is_index(reference: str, group: Mapping[str, Any]) -> bool:
    """Return whether a tag goes to an index: not to keep an image, nor of this machine alone."""
    tag = reference.rpartition(":")[2]
    return not tag.startswith(KEPT) and is_needed(group)


class Indexes:
    """The indexes of one promotion: an image has one, however many of its tags go to it."""

    def __init__(self, target: Registry) -> None:
        self.target = target
        self._digests: dict[tuple[str, frozenset[tuple[str, str]]], str] = {}

    def put(self, reference: str, manifests: Manifests) -> str:
        """Have the index of `manifests` in the repository of `reference`; return its digest."""
        key = (reference.rpartition(":")[0], frozenset(manifests.items()))
        if key not in self._digests:
            self._digests[key] = put(self.target, reference, manifests)
        return self._digests[key]


def put(target: Registry, reference: str, manifests: Manifests) -> str:
    """Have the index of `manifests` in the repository of `reference`; return its digest."""
    body = content(target, reference, manifests)
    digest = digest_of(body)
    if not target.has(reference, digest):
        target.put_index(reference, digest, INDEX, body)
    return digest


def content(target: Registry, reference: str, manifests: Manifests) -> bytes:
    """Return the index as it is stored, in the order of the platforms' names."""
    named = {platforms.name_of(architecture): digest for architecture, digest in manifests.items()}
    entries = [
        entry for name in sorted(named) for entry in _entries(target, reference, name, named[name])
    ]
    document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
    return json.dumps(document, separators=(",", ":")).encode()


def _entries(target: Registry, reference: str, platform: str, digest: str) -> list[dict[str, Any]]:
    """Return the descriptors of one platform: of its manifest, or of what its own index names."""
    body = target.manifest(reference, digest)
    document = Document.parse(f'registry: "{reference}"', body)
    if "manifests" in document.value:  # with attestations, as an engine may push it
        return [child.value for child in document.children("manifests")]
    system, _, architecture = platform.partition("/")
    return [
        {
            "mediaType": document.value.get("mediaType", MANIFESTS[0]),
            "digest": digest,
            "size": len(body),
            "platform": {"architecture": architecture, "os": system},
        }
    ]


def of_entry(indexes: Indexes, entry: Entry, digests: Digests) -> dict[str, str]:
    """Return the registry's digest of each image of an entry: with other platforms, its index."""
    digest_of_image = {name: digests[name, image.id] for name, image in entry.images.items()}
    by_image: dict[str, dict[str, str]] = {}
    for name, digest in digest_of_image.items():
        architecture, image = platforms.split(name)
        by_image.setdefault(image, {})[architecture] = digest
    for image, manifests in by_image.items():
        if is_needed(manifests):
            index = indexes.put(indexes.target.reference(image, "latest"), manifests)
            digest_of_image |= {
                platforms.image_name(manifest_architecture, image): index
                for manifest_architecture in manifests
            }
    return digest_of_image
