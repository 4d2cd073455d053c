"""The signed bytes are the same for the same input, and in the form of their standards."""

from __future__ import annotations

import base64
import json

from scripts.signing import statements

DIGEST = "sha256:" + "a" * 64


def test_a_signature_names_repository_digest_and_version() -> None:
    payload = statements.signed_payload("host/team/sutra-api", DIGEST, {"version": "1.4.2"})
    assert payload == (
        b'{"critical":{"identity":{"docker-reference":"host/team/sutra-api"},'
        b'"image":{"docker-manifest-digest":"' + DIGEST.encode() + b'"},'
        b'"type":"cosign container image signature"},"optional":{"version":"1.4.2"}}'
    )


def test_a_statement_is_about_one_digest() -> None:
    document = json.loads(statements.statement("host/api", DIGEST, statements.PROVENANCE, {"a": 1}))
    assert document == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "host/api", "digest": {"sha256": "a" * 64}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {"a": 1},
    }


def test_what_is_signed_is_dsse_s_encoding() -> None:
    # the example of DSSE's protocol.md, with our payload type
    assert statements.to_sign(b"hello world") == (
        b"DSSEv1 28 application/vnd.in-toto+json 11 hello world"
    )


def test_an_envelope_carries_the_payload_as_it_was_signed() -> None:
    document = json.loads(statements.envelope(b'{"a": 1}', "c2ln"))
    assert base64.b64decode(document["payload"]) == b'{"a": 1}'
    assert document["signatures"] == [{"keyid": "", "sig": "c2ln"}]
