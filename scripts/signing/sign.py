"""Sign what a promotion has pushed: each image, its provenance, its SBOM, and its VEX."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.common import platforms
from scripts.common.errors import SutraError
from scripts.common.reference import digits
from scripts.engine.move import Move
from scripts.signing import attached, provenance, statements
from scripts.signing.attached import Layer, Store
from scripts.signing.cosign import Signer
from scripts.signing.transparency_log import BUNDLE

SBOMS = Path(".build/sbom")


@dataclass(frozen=True)
class Pushed:
    """One image of a registry: the engine's id, the registry's digest, and its labels.

    `statements` are about it, by the type of their predicate; an SBOM that was written to
    .build/sbom takes the place of the one there.
    """

    name: str
    id: str
    digest: str
    labels: Mapping[str, str]
    statements: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def sign_all(
    signer: Signer,
    target: Store,
    images: Iterable[Pushed],
    plan: Mapping[str, Any],
    optional: Mapping[str, str],
) -> list[Move]:
    """Store signatures and attestations of all images; return the moves of their tags.

    `plan` is bake's, `optional` what a signature says besides the digest (the version). Raises
    SutraError; no tag has moved then.
    """
    signed = [
        (
            image,
            _statements(signer, target, image, plan),
            [_signature(signer, target, image, optional)],
        )
        for image in images
    ]
    moves = []
    for image, attestations, signature in signed:
        for suffix, layers in (("att", attestations), ("sig", signature)):
            moves.append(attached.store(target, image.name, image.digest, suffix, layers))
    return moves


def _signature(signer: Signer, target: Store, image: Pushed, optional: Mapping[str, str]) -> Layer:
    repository = target.reference(image.name, "").rstrip(":")
    payload = statements.signed_payload(repository, image.digest, optional)
    signature = signer.sign(payload)
    annotations = {attached.SIGNED: signature}
    if signer.log:
        annotations[BUNDLE] = signer.log.record_signature(payload, signature, signer.public)
    return Layer(attached.SIGNATURE, payload, annotations, _content(signer, payload))


def _statements(
    signer: Signer, target: Store, image: Pushed, plan: Mapping[str, Any]
) -> list[Layer]:
    repository = target.reference(image.name, "").rstrip(":")
    target_name = platforms.image_of(image.name)
    predicate = provenance.predicate(plan, target_name, image.labels, os.environ)
    statements_by_kind = {statements.PROVENANCE: predicate, **image.statements}
    if bill := sbom(image):
        statements_by_kind[statements.SPDX] = bill
    layers = []
    for kind, content in statements_by_kind.items():
        payload = statements.statement(repository, image.digest, kind, content)
        signature = signer.sign(statements.to_sign(payload))
        annotations = {attached.SIGNED: "", attached.PREDICATE: kind}
        data = statements.envelope(payload, signature)
        if signer.log:
            annotations[BUNDLE] = signer.log.record_envelope(data, signature, signer.public)
        # VEX about a digest is said anew, with other requests: the earlier one would contradict it
        told_by = kind.encode() if kind == statements.OPENVEX else payload
        layers.append(Layer(attached.ENVELOPE, data, annotations, _content(signer, told_by)))
    return layers


def sbom(image: Pushed, folder: Path = SBOMS) -> dict[str, Any] | None:
    """Return the image's SPDX document, None without one. Raises SutraError for another's."""
    path = folder / f"{image.name}.spdx.json"
    tip = f"remove {path}, or make it again, then run the same command again"
    try:
        text = path.read_text(encoding="utf-8")
        value = json.loads(text)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SutraError(f"{path}: cannot be read: {error}", tip) from error
    if not isinstance(value, dict) or not value.get("spdxVersion"):
        raise SutraError(f"{path}: not an SPDX document", tip)
    hex_digests = [digits(digest) for digest in (image.id, image.digest) if digest]
    if not any(hex_digits in text for hex_digits in hex_digests):
        raise SutraError(f"{path}: of another image, it does not name {image.id}", tip)
    return value


def _content(signer: Signer, told_by: bytes) -> str:
    """Return what tells a signature that is made again: these bytes, by this key."""
    return hashlib.sha256(signer.public + told_by).hexdigest()
