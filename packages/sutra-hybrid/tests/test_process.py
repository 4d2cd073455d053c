"""The service as a real process, beside a storage that is one."""

import json
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection

import pytest

from processes import environment, free_port, get, running, wait_until_listening

COMMAND = [sys.executable, "-m", "sutra_hybrid"]
# so many different texts that a process builds the index, for some seconds
STORAGE = (
    "import sys, uvicorn; from fake_storage import FakeStorage; fake = FakeStorage();"
    "[fake.add(f'{n:05}', f'fact{n} of{n % 997} in{n % 1009}') for n in range(int(sys.argv[2]))];"
    "uvicorn.run(fake, port=int(sys.argv[1]), lifespan='off', log_level='error')"
)


def variables(port: int, storage: int, **more: str) -> dict[str, str]:
    return environment(
        SUTRA_HOST="127.0.0.1",
        SUTRA_PORT=str(port),
        SUTRA_STORAGE_URL=f"http://127.0.0.1:{storage}",
        SUTRA_REFRESH_SECONDS="0.2",
        **more,
    )


def storage_command(port: int, concepts: int) -> list[str]:
    return [sys.executable, "-c", STORAGE, str(port), str(concepts)]


def ask(port: int, text: str) -> tuple[int, dict[str, object]]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/ask", json.dumps({"text": text}), headers)
    answer = connection.getresponse()
    status, body = answer.status, json.loads(answer.read())
    connection.close()
    return status, body


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_it_serves_and_stops() -> None:
    port = free_port()
    with running(COMMAND, variables(port, free_port())) as process:
        wait_until_listening(process, port)
        start = time.monotonic()
        answer = get(port, "/health")
        took = time.monotonic() - start
        ask_status, _ = ask(port, "x")
        process.terminate()
        out, err = process.communicate(timeout=10)
    assert (answer.status, ask_status, took < 2) == (503, 503, True)
    assert (process.returncode, out) == (0, "")
    lines = [json.loads(line) for line in err.splitlines()]
    requests = [line for line in lines if line["logger"] == "sutra.request"]
    assert [(line["route"], line["status"]) for line in requests] == [
        ("/health", 503),
        ("/ask", 503),
    ]
    assert requests[0]["request_id"] == answer.headers["x-request-id"]


def test_it_answers_without_the_storage_and_follows_it_again() -> None:
    port, storage = free_port(), free_port()
    with running(COMMAND, variables(port, storage)) as process:
        with running(storage_command(storage, 20), environment()) as stored:
            wait_until_listening(stored, storage)
            wait_until_listening(process, port)
            until(lambda: ask(port, "fact7")[0] == 200)
            assert ask(port, "fact7")[1]["id"] == "00007"
        until(lambda: get(port, "/health").status == 503)
        assert ask(port, "fact7")[1]["id"] == "00007"
        with running(storage_command(storage, 30), environment()) as stored:
            wait_until_listening(stored, storage)
            until(lambda: ask(port, "fact27")[1].get("id") == "00027")
            assert get(port, "/health").status == 200


def test_it_stops_in_time_while_an_index_is_built() -> None:
    port, storage = free_port(), free_port()
    with (
        running(storage_command(storage, 30_000), environment()) as stored,
        running(COMMAND, variables(port, storage)) as process,
    ):
        wait_until_listening(stored, storage)
        wait_until_listening(process, port)
        until(lambda: all_is_read(port))
        process.terminate()
        out, _ = process.communicate(timeout=10)
    assert (process.returncode, out) == (0, "")


def all_is_read(port: int) -> bool:
    """Return whether the storage was read whole: /stats, 31 pages, and the associations."""
    text = get(port, "/metrics").body.decode()
    counts = [line for line in text.splitlines() if line.startswith("sutra_storage_calls_total")]
    return [line.rpartition(" ")[2] for line in counts] >= ["33"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "SUTRA_STORAGE_URL",
            "xyz",
            'SUTRA_STORAGE_URL: not an http address "xyz"\n'
            "tip: set it to the form http://host:port, or unset it for http://sutra-storage:50051\n",
        ),
        (
            "SUTRA_REFRESH_SECONDS",
            "0",
            'SUTRA_REFRESH_SECONDS: not a number from 0.1 to 3600 "0"\n'
            "tip: set it to such a number, or unset it for 5\n",
        ),
        (
            "SUTRA_MAX_TEXT_MB",
            "0.5",
            'SUTRA_MAX_TEXT_MB: not a number from 1 to 10000 "0.5"\n'
            "tip: set it to such a number, or unset it for 128\n",
        ),
    ],
)
def test_a_wrong_setting_ends_with_status_2(name: str, value: str, message: str) -> None:
    with running(COMMAND, environment(**{name: value})) as process:
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (2, "", message)
