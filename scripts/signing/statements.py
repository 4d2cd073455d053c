"""What is signed: the payload that names an image by its digest, and statements about it.

Sources: sigstore's "cosign signature specification" (SIGNATURE_SPEC.md), in-toto's attestation
framework 1.0 (Statement) and secure-systems-lab's DSSE protocol (the bytes that are signed).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from scripts.common.reference import digits

PROVENANCE = "https://slsa.dev/provenance/v1"
SPDX = "https://spdx.dev/Document"
# without a version, as `cosign verify-attestation --type openvex` looks for it
OPENVEX = "https://openvex.dev/ns"
PAYLOAD_TYPE = "application/vnd.in-toto+json"


def signed_payload(reference: str, digest: str, optional: Mapping[str, str]) -> bytes:
    """Return what a signature of an image signs: `reference` is its repository, without a tag."""
    critical = {
        "identity": {"docker-reference": reference},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    }
    return encoded({"critical": critical, "optional": dict(optional)})


def statement(reference: str, digest: str, kind: str, predicate: Mapping[str, Any]) -> bytes:
    """Return an in-toto statement: `predicate`, about this digest alone."""
    return encoded(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": reference, "digest": {"sha256": digits(digest)}}],
            "predicateType": kind,
            "predicate": predicate,
        }
    )


def to_sign(payload: bytes) -> bytes:
    """Return the bytes that are signed of a statement: DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %s %d %s" % (
        len(PAYLOAD_TYPE),
        PAYLOAD_TYPE.encode(),
        len(payload),
        payload,
    )


def envelope(payload: bytes, signature: str) -> bytes:
    """Return the envelope that carries a statement and its signature."""
    return encoded(
        {
            "payloadType": PAYLOAD_TYPE,
            "payload": base64.b64encode(payload).decode(),
            "signatures": [{"keyid": "", "sig": signature}],
        }
    )


def encoded(value: Mapping[str, Any]) -> bytes:
    """Return JSON that is the same bytes for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
