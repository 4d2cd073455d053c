import sys
import time

import pytest

from processes import environment, free_port, get, running, wait_until_listening

COMMAND = [sys.executable, "-m", "sutra_hybrid"]


def test_it_serves_and_stops() -> None:
    port, nowhere = free_port(), free_port()
    env = environment(
        SUTRA_HOST="127.0.0.1",
        SUTRA_PORT=str(port),
        SUTRA_STORAGE_URL=f"http://127.0.0.1:{nowhere}",
    )
    with running(COMMAND, env) as process:
        wait_until_listening(process, port)
        start = time.monotonic()
        answer = get(port, "/health")
        took = time.monotonic() - start
        process.terminate()
        out, _ = process.communicate(timeout=10)
    assert (answer.status, took < 2) == (503, True)
    assert (process.returncode, out) == (0, "")


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
    ],
)
def test_a_wrong_setting_ends_with_status_2(name: str, value: str, message: str) -> None:
    with running(COMMAND, environment(**{name: value})) as process:
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (2, "", message)
