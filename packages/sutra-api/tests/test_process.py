import json
import sys
import time

from processes import environment, free_port, get, running, wait_until_listening

COMMAND = [sys.executable, "-m", "sutra_api"]


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
        bad_id = get(port, "/concepts/%FF")
        process.terminate()
        out, err = process.communicate(timeout=10)
    assert (answer.status, took < 2) == (503, True)
    assert answer.getheader("content-type") == "application/problem+json"
    assert bad_id.status == 400
    assert (process.returncode, out) == (0, "")
    assert any(json.loads(line)["level"] == "warning" for line in err.splitlines())


def test_a_wrong_storage_address_ends_with_status_2() -> None:
    with running(COMMAND, environment(SUTRA_STORAGE_URL="xyz")) as process:
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (2, "")
    assert err == (
        'SUTRA_STORAGE_URL: not an http address "xyz"\n'
        "tip: set it to the form http://host:port, or unset it for http://sutra-storage:50051\n"
    )
