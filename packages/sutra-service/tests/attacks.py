"""What a client can do that wishes a service ill, over real sockets; each is bounded in time."""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

SECONDS = 10
HEAD = b"GET /live HTTP/1.1\r\nHost: a\r\n"


@contextmanager
def connections(port: int, number: int) -> Iterator[list[socket.socket]]:
    """Open so many connections to 127.0.0.1:`port`; close them in the end."""
    with ExitStack() as stack:
        yield [stack.enter_context(connect(port)) for _ in range(number)]


def connect(port: int) -> socket.socket:
    """Open one connection."""
    return socket.create_connection(("127.0.0.1", port), timeout=SECONDS)


def exchange(port: int, request: bytes) -> bytes:
    """Send `request` on a connection of its own; return all that comes until it is closed."""
    with connect(port) as client:
        send(client, request)
        return everything(client)


def everything(client: socket.socket) -> bytes:
    """Return all that comes until the other side closes, or for SECONDS."""
    answer, end = b"", time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            chunk = client.recv(65536)
        except (ConnectionResetError, TimeoutError):
            break
        if not chunk:
            break
        answer += chunk
    return answer


def answer_of(client: socket.socket) -> bytes:
    """Return one answer, whole, whose length is in its head."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.recv(1) or b"\r\n\r\n"
    length = next(
        int(line.partition(b":")[2])
        for line in head.lower().splitlines()
        if line.startswith(b"content-length:")
    )
    body = b""
    while len(body) < length and (chunk := client.recv(length - len(body))):
        body += chunk
    return head + body


def send(client: socket.socket, data: bytes) -> bool:
    """Send, as far as the other side takes it; return whether it took all."""
    try:
        client.sendall(data)
    except (ConnectionError, TimeoutError):
        return False
    return True


def pour(client: socket.socket, megabytes: int) -> int:
    """Send megabytes of the letter a; return how many the other side took."""
    chunk = b"a" * 1_000_000
    return next((sent for sent in range(megabytes) if not send(client, chunk)), megabytes)


def is_closed(client: socket.socket) -> bool:
    """Return whether the other side has closed; what it sent before is thrown away."""
    ready = select.poll()  # `select` takes no descriptors from 1024 on
    ready.register(client, select.POLLIN)
    try:
        while ready.poll(0):
            if not client.recv(65536):
                return True
    except ConnectionResetError:
        return True
    return False


def seconds_until_closed(client: socket.socket, drip: bytes = b"") -> float:
    """Return after how many seconds the other side closes; send `drip` ten times a second."""
    start = time.monotonic()
    while not is_closed(client):
        assert time.monotonic() - start < SECONDS, "never closed"
        if drip:
            send(client, drip)
        time.sleep(0.1)
    return time.monotonic() - start
