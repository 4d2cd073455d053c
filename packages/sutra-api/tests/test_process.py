"""The service as a real process, beside a storage that is one."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from typing import Any

from processes import environment, free_port, get, running, wait_until_listening

COMMAND = [sys.executable, "-m", "sutra_api"]
STORAGE = (
    "import sys, uvicorn; from fake_storage import FakeStorage;"
    "fake = FakeStorage(); fake.add('a', 'x');"
    "uvicorn.run(fake, port=int(sys.argv[1]), lifespan='off', log_level='error')"
)


def variables(storage: int, **more: str) -> dict[str, str]:
    return environment(
        SUTRA_HOST="127.0.0.1", SUTRA_STORAGE_URL=f"http://127.0.0.1:{storage}", **more
    )


@contextmanager
def storage_at(port: int) -> Iterator[subprocess.Popen[str]]:
    with running([sys.executable, "-c", STORAGE, str(port)], environment()) as process:
        wait_until_listening(process, port)
        yield process


def batch(port: int) -> int:
    """Return the status of a batch of one line."""
    connection = HTTPConnection("127.0.0.1", port, timeout=40)
    line = json.dumps({"op": "put_concept", "id": "b", "text": "x"})
    connection.request("POST", "/batch", line, {"Content-Type": "application/x-ndjson"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def seconds_of(ask: Callable[[], int]) -> float:
    """Return the best of three: what the answer takes, not what else the machine does."""
    times = []
    for _ in range(3):
        start = time.monotonic()
        assert ask() == 503
        times.append(time.monotonic() - start)
    return min(times)


def slowest(port: int) -> float:
    """Return the most that any kind of request is refused after, in seconds."""
    paths = ("/concepts/a", "/search?q=x", "/path?source=a&target=a", "/health")
    asks = [partial(status_of, port, path) for path in paths]
    return max(map(seconds_of, [*asks, partial(batch, port)]))


def status_of(port: int, path: str) -> int:
    return get(port, path).status


def lines_of(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    process.terminate()
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (0, "")
    return [json.loads(line) for line in err.splitlines()]


def test_it_serves_and_stops() -> None:
    port = free_port()
    with running(COMMAND, variables(free_port(), SUTRA_PORT=str(port))) as process:
        wait_until_listening(process, port)
        answer = get(port, "/health")
        bad_id = get(port, "/concepts/%FF")
        lines = lines_of(process)
    assert (answer.status, bad_id.status) == (503, 400)
    assert answer.headers["content-type"] == "application/problem+json"
    requests = [line for line in lines if line["logger"] == "sutra.request"]
    assert [line["request_id"] for line in requests] == [
        answer.headers["x-request-id"],
        bad_id.headers["x-request-id"],
    ]
    assert [(line["route"], line["status"]) for line in requests] == [
        ("/health", 503),
        ("/concepts/{concept_id}", 400),
    ]
    (warning,) = [line for line in lines if line["level"] == "warning"]
    assert warning["request_id"] == answer.headers["x-request-id"]


def test_it_recovers_when_the_storage_is_back() -> None:
    port, storage = free_port(), free_port()
    with running(COMMAND, variables(storage, SUTRA_PORT=str(port))) as process:
        wait_until_listening(process, port)
        for _ in range(2):
            with storage_at(storage):
                assert (status_of(port, "/concepts/a"), batch(port)) == (200, 200)
            assert slowest(port) < 2  # the promise


def test_a_storage_that_hangs_is_503_in_time() -> None:
    port, storage = free_port(), free_port()
    with (
        storage_at(storage) as hanging,
        running(COMMAND, variables(storage, SUTRA_PORT=str(port))) as process,
    ):
        wait_until_listening(process, port)
        hanging.send_signal(signal.SIGSTOP)
        seconds = slowest(port)
        hanging.send_signal(signal.SIGCONT)
        after = status_of(port, "/concepts/a")
        refused = status_of(port, "/concepts/b")
        written = batch(port), status_of(port, "/concepts/b")
    # a batch that was refused because nothing answered was not sent either
    assert (seconds < 2, after, refused, written) == (True, 200, 404, (200, 200))


def test_a_body_too_large_is_answered_over_a_socket() -> None:
    port = free_port()
    with running(COMMAND, variables(free_port(), SUTRA_PORT=str(port))) as process:
        wait_until_listening(process, port)
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        headers = {"Content-Type": "application/json"}
        connection.request("PUT", "/concepts/a", b" " * (4 * 1024 * 1024), headers)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        connection.request("PUT", "/concepts/a", b"{}", headers)  # the same connection goes on
        after = connection.getresponse()
        after.read()
        connection.close()
    assert (answer.status, body["detail"]) == (413, "body: must be at most 524288 bytes")
    assert after.status == 400


def test_a_wrong_storage_address_ends_with_status_2() -> None:
    with running(COMMAND, environment(SUTRA_STORAGE_URL="xyz")) as process:
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (2, "")
    assert err == (
        'SUTRA_STORAGE_URL: not an http address "xyz"\n'
        "tip: set it to the form http://host:port, or unset it for http://sutra-storage:50051\n"
    )


def test_a_weak_key_ends_with_status_2_and_is_not_shown() -> None:
    with running(COMMAND, environment(SUTRA_API_KEY="hunter2")) as process:
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (2, "")
    assert err == (
        'SUTRA_API_KEY: not 16 to 512 letters, digits or -._~+/ "7 characters, not shown"\n'
        "tip: set it to what `openssl rand -hex 32` prints, or unset it to let everybody in\n"
    )
