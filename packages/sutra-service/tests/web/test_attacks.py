"""One client cannot take a service from the others: each attack over a socket, with its bound."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from attacks import (
    HEAD,
    answer_of,
    connect,
    connections,
    everything,
    exchange,
    is_closed,
    pour,
    seconds_until_closed,
    send,
)
from processes import (
    descriptors,
    environment,
    free_port,
    get,
    resident,
    running,
    wait_until_listening,
)

KEY = "0123456789abcdef"
MB = 1_000_000
# a factory whose server has bounds of time that are short enough for a test; the code of a process
SHORT = "create_impatient"
FEW = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300));"


@dataclass(frozen=True)
class Service:
    process: subprocess.Popen[str]
    port: int

    def lines(self) -> list[dict[str, Any]]:
        """Stop it; return its log."""
        self.process.terminate()
        out, err = self.process.communicate(timeout=20)
        assert (self.process.returncode, out) == (0, "")
        return [json.loads(line) for line in err.splitlines()]


@contextmanager
def serving(factory: str = "create_app", before: str = "", **variables: str) -> Iterator[Service]:
    port = free_port()
    code = f"{before}\nfrom sutra_service.web.serve import main; main('tiny_app:{factory}', 1)"
    env = environment(SUTRA_HOST="127.0.0.1", SUTRA_PORT=str(port), **variables)
    with running([sys.executable, "-c", code], env) as process:
        wait_until_listening(process, port)
        assert get(port, "/live").status == 200
        yield Service(process, port)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serving() as served:
        yield served


def problem_of(answer: bytes) -> tuple[int, str]:
    """Return status and detail of an answer that is a problem."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    problem = json.loads(body)
    assert int(head.split()[1]) == problem["status"]
    return problem["status"], problem["detail"]


@pytest.mark.parametrize(
    "start",
    [
        HEAD + b"X-A: ",
        HEAD + b"X-",
        b"GET /",
        b"GET /live?",
        b"PUT /size HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        b"PUT /size HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: ",
        b"\r\n" * 10_000 + HEAD + b"X-A: ",
    ],
)
def test_no_part_of_a_head_is_kept_without_a_bound(service: Service, start: bytes) -> None:
    before = resident(service.process)
    with connect(service.port) as client:
        send(client, start)
        assert pour(client, 100) < 20
        assert seconds_until_closed(client) < 5
    assert resident(service.process) - before < 10 * MB
    assert get(service.port, "/live").status == 200


def test_a_head_of_very_many_lines_is_refused(service: Service) -> None:
    lines = b"".join(b"X-%d: a\r\n" % number for number in range(5000))
    answer = exchange(service.port, HEAD + lines + b"\r\n")
    assert problem_of(answer) == (431, "head: must be at most 16384 bytes")


@pytest.mark.parametrize(("size", "status"), [(16 * 1024, 200), (20 * 1024, 431)])
def test_how_large_a_head_may_be(service: Service, size: int, status: int) -> None:
    start = HEAD + b"Connection: close\r\nX-A: "
    answer = exchange(service.port, start + b"a" * (size - len(start) - 4) + b"\r\n\r\n")
    assert answer.split()[1] == b"%d" % status


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /live HTTP/1.1\r\n\r\n",
        b"GET /live HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /live HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        b"GET /live HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"PUT /size HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"PUT /size HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"PUT /size HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\n",
        b"PUT /size HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"PUT /size HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"GET /live HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET /l\x00ive HTTP/1.1\r\nHost: a\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
)
def test_what_is_not_http_is_answered_400(service: Service, request_: bytes) -> None:
    assert problem_of(exchange(service.port, request_)) == (400, "not HTTP/1.1")


def chunked(size: int, number: int) -> bytes:
    """Return a request whose body is so many chunks of `size` bytes."""
    start = (
        b"PUT /size HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    return start + (b"%x\r\n%s\r\n" % (size, b"a" * size)) * number + b"0\r\n\r\n"


@pytest.mark.parametrize(("size", "number"), [(1, 1000), (16, 20_000)])
def test_a_body_in_many_chunks(service: Service, size: int, number: int) -> None:
    answer = exchange(service.port, chunked(size, number))
    assert answer.rpartition(b"\r\n\r\n")[2] == b"%d" % (size * number)


@pytest.mark.parametrize(("size", "number"), [(1, 1001), (15, 1001), (1, 100_000)])
def test_a_body_in_very_many_tiny_chunks(service: Service, size: int, number: int) -> None:
    assert problem_of(exchange(service.port, chunked(size, number))) == (400, "not HTTP/1.1")


def test_http_1_0_needs_no_host(service: Service) -> None:
    assert exchange(service.port, b"GET /live HTTP/1.0\r\n\r\n").split()[1] == b"200"


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"http://a/live", b"200"),
        (b"http://a/live?x=1", b"400"),
        (b"http://a", b"404"),
        (b"http:///live", b"200"),
        (b"https://a/live", b"404"),
        (b"//live", b"404"),
        (b"*", b"404"),
    ],
)
def test_forms_of_a_target(service: Service, target: bytes, status: bytes) -> None:
    request = b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert exchange(service.port, request).split()[1] == status


@pytest.mark.parametrize("path", [b"/health", b"/live", b"/metrics", b"/nothing"])
def test_head_is_answered_as_get_without_a_body(service: Service, path: bytes) -> None:
    rest = b" " + path + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    head, got = exchange(service.port, b"HEAD" + rest), exchange(service.port, b"GET" + rest)
    assert head.endswith(b"\r\n\r\n")
    assert head.splitlines()[0] == got.splitlines()[0]
    lengths = [line for line in head.splitlines() if line.startswith(b"content-length: ")]
    assert len(lengths) == 1
    assert lengths != [b"content-length: 0"]


def test_a_token_in_a_trailer_opens_nothing() -> None:
    rest = b"PUT /size HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
    end = b"\r\n2\r\n{}\r\n0\r\n%s\r\n"
    token = b"Authorization: Bearer " + KEY.encode() + b"\r\n"
    with serving(SUTRA_API_KEY=KEY) as service:
        in_trailer = exchange(service.port, rest + end % token)
        in_head = exchange(service.port, rest + token + end % b"")
    assert problem_of(in_trailer) == (401, "needs the header Authorization: Bearer KEY")
    assert (in_head.split()[1], in_head.rpartition(b"\r\n\r\n")[2]) == (b"200", b"2")


def test_half_a_head_ends_in_time_however_it_drips() -> None:
    with serving(SHORT) as service:
        with connections(service.port, 3) as (silent, half, second):
            send(half, HEAD + b"X-A: ")
            send(second, HEAD + b"\r\n" + HEAD + b"X-A: ")
            assert seconds_until_closed(half, drip=b"a") < 3
            assert seconds_until_closed(silent) < 1
            assert seconds_until_closed(second, drip=b"a") < 2
        assert errors(service) == []


def test_the_rest_of_a_refused_body_ends_in_time() -> None:
    with serving(SHORT) as service:
        with connect(service.port) as client:
            start = b"PUT /size HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n"
            send(client, start)
            assert answer_of(client).split()[1] == b"413"
            assert seconds_until_closed(client, drip=b"a" * 100_000) < 3
        assert errors(service) == []


def test_after_a_refused_body_that_ends_the_connection_goes_on() -> None:
    size = 600_000
    start = b"PUT /size HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size
    with (
        serving(SHORT, SECONDS_REST="0.4") as service,
        connect(service.port) as client,
    ):
        send(client, start + b"a" * size)
        assert answer_of(client).split()[1] == b"413"
        time.sleep(0.3)
        send(client, HEAD + b"X-A:")
        time.sleep(0.3)
        send(client, b" a\r\n\r\n")
        assert answer_of(client).split()[1] == b"200"


def test_more_connections_than_descriptors_keep_nobody_out() -> None:
    with serving(before=FEW) as service:
        with connections(service.port, 600) as clients:
            for client in clients:
                send(client, HEAD)
            for _ in range(5):
                assert get(service.port, "/health").status == 200
            assert descriptors(service.process) < 300
            closed = [is_closed(client) for client in clients]
            # the oldest connections were closed
            assert closed == sorted(closed, reverse=True)
            assert 400 < sum(closed) < 500
        assert errors(service) == []


def test_slow_bodies_keep_nobody_out(service: Service) -> None:
    start = b"PUT /size HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 10\r\n\r\n1"
    with connections(service.port, 200) as clients:
        for client in clients:
            send(client, start)
        assert {get(service.port, "/large").status for _ in range(10)} == {200}
        answer = everything(clients[0])
        assert problem_of(answer) == (503, "too many bodies arrive at once")
        send(clients[-1], b"234567890")
        assert everything(clients[-1]).endswith(b"\r\n\r\n10")


def test_answers_that_nobody_reads_are_dropped() -> None:
    with serving(SHORT, SECONDS_UNREAD="4") as service:
        before = resident(service.process)
        with ExitStack() as stack:
            for _ in range(60):  # 500 MB
                client = stack.enter_context(connect(service.port))
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                send(client, b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
                assert client.recv(1) == b"H"
            assert resident(service.process) - before < 80 * MB
            assert get(service.port, "/live").status == 200
            end = time.monotonic() + 10
            while descriptors(service.process) > 30:
                assert time.monotonic() < end
                time.sleep(0.1)
        assert errors(service) == []


def test_requests_behind_an_answer_that_nobody_reads_take_no_place() -> None:
    large = b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n"
    with serving(SHORT) as service, ExitStack() as stack:
        for _ in range(200):  # more than may be worked on at once
            client = stack.enter_context(connect(service.port))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            send(client, large + HEAD + b"\r\n")
        time.sleep(2.5)
        assert get(service.port, "/large").status == 200
        assert descriptors(service.process) < 30
        assert errors(service) == []


def test_requests_without_end_on_one_connection_are_bounded(service: Service) -> None:
    before = resident(service.process)
    with connect(service.port) as client:
        client.settimeout(1)
        for _ in range(50):
            if not send(client, (HEAD + b"\r\n") * 5000):
                break
        assert resident(service.process) - before < 40 * MB
    assert get(service.port, "/live").status == 200


@pytest.mark.parametrize(
    "garbage", [b"\x00" * 100, b"GET", HEAD, b"PUT /size HTTP/1.1\r\nHost: a\r\n\r\n", b"zz\r\n"]
)
def test_garbage_after_an_answer_is_not_our_error(garbage: bytes) -> None:
    chunked = b"PUT /nothing HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with serving(SHORT) as service:
        with connections(service.port, 2) as (first, second):
            send(first, HEAD + b"\r\n")
            send(second, chunked + b"1\r\na\r\n")
            for client in (first, second):
                time.sleep(0.2)
                send(client, garbage)
                time.sleep(0.2)
        assert errors(service) == []


def test_a_stop_with_open_connections_is_not_an_error() -> None:
    body = b"PUT /size HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n1"
    stuck = b"GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n"
    with (
        serving(SHORT, SECONDS_UNREAD="30") as service,
        connections(service.port, 6) as (silent, half, slow, waiting, unread, behind),
    ):
        send(half, HEAD)
        send(slow, body)
        send(waiting, stuck)
        unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        send(unread, b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        behind.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        send(behind, b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n" + HEAD + b"\r\n")
        time.sleep(0.3)
        start = time.monotonic()
        assert errors(service) == []
        assert time.monotonic() - start < 5
        assert is_closed(silent)
        assert is_closed(half)
        for client in (slow, waiting):
            answer = everything(client)
            assert problem_of(answer) == (503, "the service is stopping")
            assert b"\r\nconnection: close\r\n" in answer.lower()


def errors(service: Service) -> list[dict[str, Any]]:
    """Stop the service; return what it logged that is an error."""
    return [line for line in service.lines() if line["level"] in {"error", "critical"}]
