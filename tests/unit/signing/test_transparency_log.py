"""A log of signatures on loopback: what it records, and every answer that is no record."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.common.errors import SutraError
from scripts.promotion.options import Options
from scripts.signing import statements, transparency_log
from scripts.signing.transparency_log import Log
from tests.support import rekor
from tests.support.rekor import Rekor

PEM = b"-----BEGIN PUBLIC KEY-----\n"
TIP = "leave TRANSPARENCY_LOG out to sign without a log, or run the same command again"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Rekor]:
    with rekor.serving(tmp_path / "rekor") as log:
        yield log


def opened(address: str) -> Log:
    log = transparency_log.open_log(address, {})
    assert log
    return log


def problem(address: str) -> str:
    """Return the error of a log without its beginning and end."""
    with pytest.raises(SutraError) as caught:
        opened(address).record_signature(b"payload", "c2ln", PEM)
    assert caught.value.tip == TIP
    message = caught.value.message
    return message.removeprefix("TRANSPARENCY_LOG: 127.0.0.1: ").removesuffix(", nothing is signed")


def test_no_log_is_asked_unless_one_is_named() -> None:
    assert transparency_log.open_log("", {}) is None


def test_a_signature_is_recorded_with_the_log_s_promise(served: Rekor) -> None:
    bundle = json.loads(opened(served.address + "/").record_signature(b"payload", "c2ln", PEM))
    assert sorted(bundle) == ["Payload", "SignedEntryTimestamp"]
    assert sorted(bundle["Payload"]) == ["body", "integratedTime", "logID", "logIndex"]
    body = json.loads(base64.b64decode(bundle["Payload"]["body"]))
    assert body["kind"] == "hashedrekord"
    assert body["spec"]["signature"]["content"] == "c2ln"
    [entry] = served.entries
    assert entry == body


def test_a_statement_is_recorded_without_its_text(served: Rekor) -> None:
    envelope = statements.envelope(b"secret words", "c2ln")
    bundle = json.loads(opened(served.address).record_envelope(envelope, "c2ln", PEM))
    body = json.loads(base64.b64decode(bundle["Payload"]["body"]))
    assert body["kind"] == "dsse"
    assert [signature["signature"] for signature in body["spec"]["signatures"]] == ["c2ln"]


def test_what_the_log_has_already_is_taken_from_it(served: Rekor) -> None:
    served.conflict = True
    assert json.loads(opened(served.address).record_signature(b"payload", "c2ln", PEM))["Payload"]


def test_a_log_that_refers_to_itself_is_asked_once_more(served: Rekor) -> None:
    served.conflict = served.is_circle = True
    assert problem(served.address) == "refused (HTTP 409)"


def entry(**changes: object) -> bytes:
    """Return a good answer with some members changed."""
    body = json.dumps(
        {"spec": ["c2ln", "239f59ed55e737c77147cf55ad0c1b030b6d7ee748a7426952f9b852d5a935e5"]}
    )
    whole = {
        "body": base64.b64encode(body.encode()).decode(),
        "integratedTime": 1,
        "logIndex": 1,
        "logID": "a",
        "verification": {"signedEntryTimestamp": "c2ln"},
    }
    return json.dumps({"uuid": {**whole, **changes}}).encode()


def test_a_good_answer_in_the_form_of_the_next_test(served: Rekor) -> None:
    served.answer = (201, entry())
    assert json.loads(opened(served.address).record_signature(b"payload", "c2ln", PEM))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            (400, b'{"code": 400, "message": "no\\nsignature"}'),
            "refused (HTTP 400): no\ufffdsignature",
        ),
        ((500, b"<html>"), "refused (HTTP 500)"),
        ((500, b"[" * 100_000), "refused (HTTP 500)"),
        ((409, b"{}"), "refused (HTTP 409)"),
        ((302, b""), "refused (HTTP 302)"),
        ((201, b""), "its answer is no entry of a log"),
        ((201, b"{}"), "its answer is no entry of a log"),
        ((201, b"[" * 100_000), "its answer is no entry of a log"),
        ((201, entry(body="%")), "its answer is no entry of a log"),
        ((201, entry(body=None)), "its answer is no entry of a log"),
        ((201, entry(logIndex="x")), "its answer is no entry of a log"),
        ((201, entry(logIndex=float("inf"))), "its answer is no entry of a log"),
        ((201, entry(verification={})), "its answer is no entry of a log"),
        ((201, entry(verification={"signedEntryTimestamp": 1})), "its answer is no entry of a log"),
        ((201, entry(body="e30=")), "its entry is of another signature"),
        ((201, b" " * (transparency_log.MOST + 1)), "its answer is too long"),
    ],
)
def test_an_answer_that_is_no_record(served: Rekor, answer: tuple[int, bytes], why: str) -> None:
    served.answer = answer
    assert problem(served.address) == why


def test_a_log_that_is_not_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://me:hunter2@127.0.0.1:{unused.getsockname()[1]}"
        assert problem(address) == "no connection"


def test_a_server_that_is_no_log(served: Rekor) -> None:
    assert problem(f"{served.address}/other") == "refused (HTTP 404)"
    served.public.write_text("hello")
    assert problem(served.address) == "no transparency log: it has no public key"


@pytest.mark.parametrize(
    "address", ["rekor.example", "ftp://x", "https://", "http://[", "https://x/?a=b"]
)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(SutraError) as caught:
        Options.read({"TRANSPARENCY_LOG": address, "SIGN_KEY": "a"})
    assert caught.value.message == "TRANSPARENCY_LOG: not an address of http or https"


def test_a_log_without_a_key_that_signs() -> None:
    with pytest.raises(SutraError) as caught:
        Options.read({"TRANSPARENCY_LOG": "https://rekor.example"})
    assert caught.value.message == "TRANSPARENCY_LOG: needs SIGN_KEY: a log gets signatures"
