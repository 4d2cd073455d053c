import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest

from processes import Answer, environment, free_port, get, running, wait_until_listening


def command(factory: str = "create_app") -> list[str]:
    call = (
        f"from sutra_service.web.serve import main; raise SystemExit(main('tiny_app:{factory}', 1))"
    )
    return [sys.executable, "-c", call]


def variables(port: int) -> dict[str, str]:
    return environment(SUTRA_HOST="127.0.0.1", SUTRA_PORT=str(port))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_ends_with_status_0(number: signal.Signals) -> None:
    port = free_port()
    with running(command(), variables(port)) as process:
        wait_until_listening(process, port)
        assert get(port, "/health").status == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert out == ""
    lines = [json.loads(line) for line in err.splitlines()]
    assert all(set(line) == {"time", "level", "logger", "message"} for line in lines)
    assert lines[-1]["message"].startswith("Finished server process")


def test_a_running_request_is_answered_before_the_end() -> None:
    port = free_port()
    answers: list[Answer] = []
    with running(command(), variables(port)) as process:
        wait_until_listening(process, port)
        asking = threading.Thread(target=lambda: answers.append(get(port, "/slow")))
        asking.start()
        time.sleep(0.3)
        process.terminate()
        assert process.wait(10) == 0
        asking.join()
    assert [answer.status for answer in answers] == [200]


def ask(connection: HTTPConnection, path: str) -> tuple[int, str | None]:
    """Return the status, and what the answer says of the connection."""
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.getheader("connection")


def test_not_ready_before_it_stops() -> None:
    port = free_port()
    env = variables(port) | {"SUTRA_DRAIN_SECONDS": "1.5"}
    with running(command(), env) as process:
        wait_until_listening(process, port)
        kept = HTTPConnection("127.0.0.1", port, timeout=10)
        assert ask(kept, "/slow") == (200, None)
        start = time.monotonic()
        process.terminate()
        time.sleep(0.5)
        assert ask(kept, "/slow") == (200, "close")
        health, live = get(port, "/health"), get(port, "/live")
        assert (health.status, live.status) == (503, 200)
        assert json.loads(health.body)["detail"] == "the service is stopping"
        assert process.wait(10) == 0
        kept.close()
    assert 1.5 <= time.monotonic() - start < 5


def test_while_the_last_request_runs_new_ones_are_refused() -> None:
    port = free_port()
    answers: list[Answer] = []
    with running(command(), variables(port)) as process:
        wait_until_listening(process, port)
        asking = threading.Thread(target=lambda: answers.append(get(port, "/slow")))
        asking.start()
        time.sleep(0.2)
        process.terminate()
        time.sleep(0.2)
        statuses = [get(port, path).status for path in ("/health", "/live", "/metrics")]
        assert process.wait(10) == 0
        asking.join()
    assert statuses == [503, 200, 503]
    assert [answer.status for answer in answers] == [200]


@pytest.mark.parametrize("value", ["-1", "301", "soon"])
def test_a_wrong_time_to_drain_ends_with_status_2(value: str) -> None:
    with running(command(), environment(SUTRA_DRAIN_SECONDS=value)) as process:
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (2, "")
    assert err == (
        f'SUTRA_DRAIN_SECONDS: not a number from 0 to 300 "{value}"\n'
        "tip: set it to such a number, or unset it for 0\n"
    )


def test_a_stop_during_the_imports_ends_with_status_0() -> None:
    with running(command("create_slowly"), variables(free_port())) as process:
        assert process.stderr
        assert process.stderr.readline() == "starting\n"
        process.terminate()
        assert process.wait(10) == 0


def pid_namespaces() -> bool:
    if not shutil.which("unshare"):
        return False
    return (
        subprocess.run(["unshare", "-pf", "true"], check=False, capture_output=True).returncode == 0
    )


def child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())


@pytest.mark.skipif(not pid_namespaces(), reason="may not make a PID namespace here")
@pytest.mark.parametrize("factory", ["create_app", "create_slowly"])
def test_as_pid_1_a_stop_ends_with_status_0(factory: str) -> None:
    port = free_port()
    unshare = ["unshare", "--pid", "--fork", "--kill-child", *command(factory)]
    with running(unshare, variables(port)) as process:
        assert process.stderr
        if factory == "create_app":
            wait_until_listening(process, port)
        else:
            assert process.stderr.readline() == "starting\n"
        subprocess.run(["kill", "-TERM", str(child_of(process.pid))], check=True)
        assert process.wait(10) == 0


def test_an_unexpected_error_is_logged_and_not_shown() -> None:
    port = free_port()
    with running(command(), variables(port)) as process:
        wait_until_listening(process, port)
        answer = get(port, "/broken")
        process.terminate()
        _, err = process.communicate(timeout=10)
    assert answer.status == 500
    assert b"secret" not in answer.body
    logged = [line for line in map(json.loads, err.splitlines()) if line["level"] == "error"]
    assert len(logged) == 1
    assert logged[0]["traceback"].endswith("RuntimeError: the secret cause")


def test_a_port_in_use_ends_with_status_1() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with running(command(), variables(port)) as process:
            _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert os.strerror(errno.EADDRINUSE).lower() in err  # musl words it otherwise than glibc


def test_a_wrong_port_ends_with_status_2() -> None:
    with running(command(), environment(SUTRA_PORT="http")) as process:
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (2, "")
    assert err == (
        'SUTRA_PORT: not a port from 1 to 65535 "http"\n'
        "tip: set it to such a number, or unset it for 1\n"
    )
