"""COMPRESSION=zstd: a registry's image whose layers are packed by zstd, beside the gzip one.

The engine pushes what it has, gzip. The same config with the same layers, packed again, then gets
a manifest of its own: the image holds the same files under another digest. Only OCI's media types
name zstd, so that the manifest is an OCI one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from scripts.common.errors import SutraError
from scripts.image.zstd_layers import KIND, Packed
from scripts.oci.manifest import INDEXES, MANIFESTS, digest_of
from scripts.oci.registry_tags import Registry

MANIFEST, INDEX = MANIFESTS[0], INDEXES[0]
CONFIG = "application/vnd.oci.image.config.v1+json"
# names the manifest that an attestation beside it is about (docker/buildx)
ABOUT = "vnd.docker.reference.digest"
KEPT_SUFFIX = "-zstd"


def push(target: Registry, reference: str, digest: str, layers: Mapping[str, Packed]) -> str:
    """Push the image of `digest` once more, with `layers` in place of its own; return its digest.

    `reference` is the tag under which the engine pushed it; the new one gets its name and "-zstd".
    """
    new = _converted(target, reference, digest, layers)
    if new["digest"] == digest:
        raise SutraError(
            f'registry: no layer of "{reference}" is one of the engine\'s image',
            "look at what the engine pushed: `docker buildx imagetools inspect " + reference + "`",
        )
    target.move(reference + KEPT_SUFFIX, new["digest"])
    return str(new["digest"])


def _converted(
    target: Registry, reference: str, digest: str, layers: Mapping[str, Packed]
) -> dict[str, Any]:
    """Return the descriptor of a manifest or an index, pushed with what it names."""
    document = _json(reference, target.manifest(reference, digest))
    if "manifests" in document:
        return _converted_index(target, reference, digest, document, layers)
    config = _json(reference, target.blob(reference, document["config"]["digest"]))
    diff_ids = config.get("rootfs", {}).get("diff_ids") or []
    if not diff_ids or not layers.keys() >= set(diff_ids):  # an attestation, another platform
        return {"digest": digest}
    packed = [layers[diff_id] for diff_id in diff_ids]
    for layer in dict.fromkeys(packed):
        if not target.has_blob(reference, layer.digest):
            target.upload(reference, layer.digest, layer.path.read_bytes())
    blobs = [{"mediaType": KIND, "digest": blob.digest, "size": blob.size} for blob in packed]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {**document["config"], "mediaType": CONFIG},
        "layers": blobs,
    }
    if "annotations" in document:
        manifest["annotations"] = document["annotations"]
    return _put(target, reference, MANIFEST, manifest)


def _converted_index(
    target: Registry,
    reference: str,
    digest: str,
    document: dict[str, Any],
    layers: Mapping[str, Packed],
) -> dict[str, Any]:
    """Convert what an index leads to; attestations stay, and are about the new manifests.

    An index that leads to nothing of `layers` stays as it is.
    """
    children = list(document["manifests"])
    new = {
        child["digest"]: _converted(target, reference, child["digest"], layers)
        for child in children
        if ABOUT not in (child.get("annotations") or {})
    }
    if all(descriptor["digest"] == before for before, descriptor in new.items()):
        return {"digest": digest}
    for child in children:
        notes = child.get("annotations") or {}
        child.update(new.get(child["digest"], {}))
        if notes.get(ABOUT) in new:
            child["annotations"] = {**notes, ABOUT: new[notes[ABOUT]]["digest"]}
    return _put(target, reference, INDEX, {**document, "mediaType": INDEX, "manifests": children})


def _put(target: Registry, reference: str, kind: str, document: Any) -> dict[str, Any]:
    body = json.dumps(document, separators=(",", ":")).encode()
    digest = digest_of(body)
    target.put_by_digest(reference, digest, kind, body)
    return {"mediaType": kind, "digest": digest, "size": len(body)}


def _json(reference: str, data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise SutraError(
            f'registry: a document of "{reference}" is no JSON object',
            f"look at what the registry has: `docker buildx imagetools inspect {reference}`",
        )
    return value
