"""Without its storage the stack reports that at once, and recovers by itself."""

from __future__ import annotations

import json

import pytest

from tests.support.stack import API, HYBRID, STORAGE, Stack, wait_for

# longest wait for a refusal, in seconds: the bound that the API promises
BOUND = 2.0


@pytest.mark.parametrize("how", ["stopped", "paused"])
def test_every_request_is_refused_in_time_and_served_again(stack: Stack, how: str) -> None:
    stack.wait_ready(API)
    stack.ask(API, "PUT", "/concepts/before", {"text": "known before the outage"})
    line = json.dumps({"op": "put_concept", "id": "during", "text": "not written"}).encode()
    storage = stack.container(STORAGE)
    api = stack.container(API)
    if how == "stopped":
        storage.stop()
    else:
        storage.pause()
    try:
        for method, path, body in (
            ("GET", "/health", None),
            ("GET", "/concepts/before", None),
            ("PUT", "/concepts/during", {"text": "not written"}),
            ("DELETE", "/concepts/during", None),
            ("GET", "/path?source=before&target=before", None),
            ("POST", "/batch", line),
        ):
            answer = stack.try_ask(API, method, path, body)
            assert answer.status == 503, (method, path, answer)
            assert answer.body["status"] == 503
            assert answer.seconds < BOUND, (method, path, answer)
    finally:
        if how == "stopped":
            storage.start()
        else:
            storage.unpause()
    stack.wait_ready(API)
    assert stack.ask(API, "GET", "/concepts/before")["text"] == "known before the outage"
    assert stack.container(API).attrs["State"]["StartedAt"] == api.attrs["State"]["StartedAt"]


def test_the_hybrid_says_so_too_and_is_served_again(stack: Stack) -> None:
    stack.wait_ready(HYBRID)
    storage = stack.container(STORAGE)
    storage.stop()
    try:
        answer = stack.try_ask(HYBRID, "GET", "/health")
        assert answer.status == 503
        assert answer.seconds < BOUND
    finally:
        storage.start()
    stack.wait_ready(HYBRID)
    reply = stack.try_ask(HYBRID, "POST", "/similar", {"text": "outage", "k": 1})
    assert reply.status == 200


def test_the_engine_notices_and_status_says_so(stack: Stack) -> None:
    storage = stack.container(STORAGE)
    storage.stop()
    try:
        wait_for(lambda: healths(stack) == {"unhealthy"}, "a HEALTHCHECK still passes")
        done = stack.deploy("status")
        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            "sutra-deploy: status: not healthy: sutra-api sutra-hybrid sutra-storage",
            "tip: `./sutra-deploy.sh logs` says why, `up` starts what is missing",
        ]
    finally:
        storage.start()
    wait_for(lambda: healths(stack) == {"healthy"}, "they never recovered")


def healths(stack: Stack) -> set[str]:
    """Return what the engine thinks of the two services that need the storage."""
    return {
        stack.container(service).attrs["State"]["Health"]["Status"] for service in (API, HYBRID)
    }
