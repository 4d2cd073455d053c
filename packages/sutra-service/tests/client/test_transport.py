"""The transport under uvloop, as the services run it, against a server that resets connections."""

import asyncio
import collections
import socket
import struct
import threading
from collections.abc import Iterator

import httpx
import pytest
import uvloop

from sutra_service.client.errors import StorageUnavailable
from sutra_service.client.transport import Transport

# Calls of one test: on an idle machine 70 to 100 of them meet the reset before anything is sent.
CALLS = 1000
AT_ONCE = 50
RESET = "the connection was reset as it was made"
# SO_LINGER of no seconds: closing the socket resets the connection.
NO_LINGER = struct.pack("ii", 1, 0)


@pytest.fixture
def resetting() -> Iterator[str]:
    """Yield the URL of a server that resets each connection as soon as it has it."""
    stopping = threading.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=AT_ONCE) as server:

        def reset() -> None:
            while not stopping.is_set():
                connection, _ = server.accept()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
                connection.close()

        thread = threading.Thread(target=reset)
        thread.start()
        host, port = server.getsockname()
        yield f"http://{host}:{port}"
        stopping.set()
        socket.create_connection((host, port)).close()
        thread.join()


async def refusals(url: str, method: str) -> collections.Counter[str]:
    """Return how often each message came of CALLS calls, all of which must fail."""
    transport = Transport(url)
    messages: collections.Counter[str] = collections.Counter()

    async def call() -> None:
        with pytest.raises(StorageUnavailable) as caught:
            await transport.ask(method, "/concepts/a")
        messages[str(caught.value)] += 1

    for _ in range(CALLS // AT_ONCE):
        await asyncio.gather(*(call() for _ in range(AT_ONCE)))
    await transport.close()
    return messages


def test_a_connection_reset_as_it_is_made_is_an_unavailable_storage(resetting: str) -> None:
    # POST is sent once, so that the first reset is what its caller gets. On a busy machine none of
    # the calls may meet it before something was sent: the next tests meet it each time.
    messages = uvloop.run(refusals(resetting, "POST"))
    assert messages.total() == CALLS


class Lost(httpx.AsyncBaseTransport):
    """A transport that loses the socket of its first call as uvloop and anyio do."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls = 0

    async def handle_async_request(self, _: httpx.Request) -> httpx.Response:
        self.calls += 1
        if self.calls == 1:
            raise AttributeError(f"no {self.name}", name=self.name)
        return httpx.Response(200)


@pytest.mark.anyio
async def test_what_may_be_sent_twice_is_sent_again_after_such_a_reset() -> None:
    lost = Lost("getpeername")
    assert (await Transport("http://storage", lost).ask("PUT", "/concepts/a")).status_code == 200
    assert lost.calls == 2


@pytest.mark.anyio
async def test_what_may_not_be_sent_twice_is_not() -> None:
    lost = Lost("getpeername")
    with pytest.raises(StorageUnavailable, match=RESET):
        await Transport("http://storage", lost).ask("POST", "/batch")
    assert lost.calls == 1


@pytest.mark.anyio
async def test_another_attribute_error_is_a_fault_of_ours() -> None:
    with pytest.raises(AttributeError, match="no getsockname"):
        await Transport("http://storage", Lost("getsockname")).ask("GET", "/stats")
