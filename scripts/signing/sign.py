"""Sign what a promotion has pushed: each image, its provenance, its SBOM, and its VEX."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from scripts.common import platforms
from scripts.engine.move import Move
from scripts.signing import attached, provenance, statements, written_sbom
from scripts.signing.attached import Layer, Store
from scripts.signing.cosign import Signer
from scripts.signing.transparency_log import BUNDLE


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


@dataclass(frozen=True)
class Payload:
    """Bytes to sign about an image; `signed` makes its layer of the signature.

    `suffix` is that of the tag whose list gets the layer.
    """

    image: Pushed
    suffix: str
    to_sign: bytes
    signed: Callable[[str], Layer]


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
    payloads = [
        payload for image in images for payload in _payloads(signer, target, image, plan, optional)
    ]
    lists: dict[tuple[str, str, str], list[Layer]] = {}
    for payload, signature in zip(payloads, _signatures(signer, payloads), strict=True):
        place = payload.image.name, payload.image.digest, payload.suffix
        lists.setdefault(place, []).append(payload.signed(signature))
    return [attached.store(target, *place, layers) for place, layers in lists.items()]


def _signatures(signer: Signer, payloads: Sequence[Payload]) -> list[str]:
    """Return the signature of each, several made at once: cosign derives a key for each anew.

    Raises SutraError for the first that cannot be made; those that have not begun are left out.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            return list(pool.map(signer.sign, [payload.to_sign for payload in payloads]))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _payloads(
    signer: Signer,
    target: Store,
    image: Pushed,
    plan: Mapping[str, Any],
    optional: Mapping[str, str],
) -> Iterator[Payload]:
    """Yield what is to be signed of an image: its statements, then the image itself."""
    repository = target.reference(image.name, "").rstrip(":")
    for kind, content in _statements(image, plan).items():
        statement = statements.statement(repository, image.digest, kind, content)
        yield Payload(
            image, "att", statements.to_sign(statement), partial(_envelope, signer, kind, statement)
        )
    named = statements.signed_payload(repository, image.digest, optional)
    yield Payload(image, "sig", named, partial(_signature, signer, named))


def _statements(image: Pushed, plan: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return what is stated of an image, by the type of the predicate."""
    target_name = platforms.image_of(image.name)
    predicate = provenance.predicate(plan, target_name, image.labels, os.environ)
    statements_by_kind = {statements.PROVENANCE: predicate, **image.statements}
    if bill := written_sbom.read(image.name, (image.id, image.digest)):
        statements_by_kind[statements.SPDX] = bill
    return statements_by_kind


def _signature(signer: Signer, payload: bytes, signature: str) -> Layer:
    annotations = {attached.SIGNED: signature}
    if signer.log:
        annotations[BUNDLE] = signer.log.record_signature(payload, signature, signer.public)
    return Layer(attached.SIGNATURE, payload, annotations, _content(signer, payload))


def _envelope(signer: Signer, kind: str, payload: bytes, signature: str) -> Layer:
    annotations = {attached.SIGNED: "", attached.PREDICATE: kind}
    data = statements.envelope(payload, signature)
    if signer.log:
        annotations[BUNDLE] = signer.log.record_envelope(data, signature, signer.public)
    # a new VEX statement about a digest replaces the earlier one, which may contradict it
    identity = kind.encode() if kind == statements.OPENVEX else payload
    return Layer(attached.ENVELOPE, data, annotations, _content(signer, identity))


def _content(signer: Signer, identity: bytes) -> str:
    """Return what identifies a signature that is made again: these bytes, by this key."""
    return hashlib.sha256(signer.public + identity).hexdigest()
