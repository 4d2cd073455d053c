"""Signatures and attestations where cosign looks for them: beside the image, tagged by its digest.

`sha256-….sig` and `sha256-….att` are manifests whose layers are one signature or statement each.
They are stored by their digests first; the tags move with the promotion's own, before all others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from scripts.common.errors import RegistryError
from scripts.engine.move import Move
from scripts.oci.manifest import MANIFESTS, digest_of
from scripts.signing.statements import encoded

SIGNATURE = "application/vnd.dev.cosign.simplesigning.v1+json"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
# annotations of a layer: the first two are cosign's; the last tells what a layer takes the place of
SIGNED, PREDICATE, CONTENT = (
    "dev.cosignproject.cosign/signature",
    "predicateType",
    "org.sutra.content",
)


@dataclass(frozen=True)
class Layer:
    """One signature or statement. `content` is what it signs, by digest and key."""

    kind: str
    data: bytes
    annotations: Mapping[str, str]
    content: str


class Store(Protocol):
    """The registry, as far as signatures need it."""

    def reference(self, image: str, tag: str) -> str:
        """Return the whole name of a tag."""

    def document(self, reference: str) -> tuple[str, bytes] | None:
        """Return digest and bytes of the manifest that a tag is on, or None."""

    def put_blob(self, image: str, data: bytes) -> None:
        """Store a blob in the image's repository."""

    def put_manifest(self, image: str, kind: str, data: bytes) -> None:
        """Store a manifest by its digest, without a tag."""


def tag_of(digest: str, suffix: str) -> str:
    """Return the tag that cosign looks for: "sha256-….sig", "sha256-….att"."""
    return f"{digest.replace(':', '-')}.{suffix}"


def store(target: Store, image: str, digest: str, suffix: str, layers: Sequence[Layer]) -> Move:
    """Store layers beside what is attached to the digest already; return the move of their tag.

    Signatures of others stay, and those of another key; one of the same bytes by the same key is
    replaced, so that signing again does not grow the image's list.
    """
    tag = target.reference(image, tag_of(digest, suffix))
    stored = target.document(tag)
    before, earlier = (stored[0], _layers(tag, stored[1])) if stored else (None, [])
    described = [_described(layer) for layer in layers]
    new = {layer["annotations"][CONTENT] for layer in described}
    kept = [
        present for present in earlier if (present.get("annotations") or {}).get(CONTENT) not in new
    ]
    for layer in layers:
        target.put_blob(image, layer.data)
    config = _config([*kept, *described])
    target.put_blob(image, config)
    data = encoded(
        {
            "schemaVersion": 2,
            "mediaType": MANIFESTS[0],
            "config": _descriptor(CONFIG, config),
            "layers": [*kept, *described],
        }
    )
    target.put_manifest(image, MANIFESTS[0], data)
    return Move(tag, before, digest_of(data))


def _layers(tag: str, data: bytes) -> list[dict[str, Any]]:
    try:
        layers = [{**layer} for layer in json.loads(data)["layers"]]
        for layer in layers:
            dict(layer.get("annotations") or {})  # a layer needs none
        return layers
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RegistryError(
            f'registry: not a list of signatures "{tag}"',
            "remove that tag from the registry, then run the same command again",
        ) from error


def _described(layer: Layer) -> dict[str, Any]:
    annotations = {**layer.annotations, CONTENT: layer.content}
    return {**_descriptor(layer.kind, layer.data), "annotations": annotations}


def _descriptor(kind: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest_of(data), "size": len(data)}


def _config(layers: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the config that a list of layers wants; nothing of it is run."""
    return encoded(
        {
            "architecture": "",
            "os": "",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
        }
    )
