"""uvicorn's HTTP/1.1 on h11, with the bounds of time and number that uvicorn leaves to a proxy.

A head must be whole in time, what is left of a body after its answer must end in time, and an
answer must be read in time. Where there are too many connections, the one that has waited longest
makes room, as in nginx: a client that asks at once is never that one.
"""

import asyncio
import sys
from enum import Enum

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from sutra_service.web.parser import MAX_HEAD_BYTES, Parser
from sutra_service.web.problem import problem

# So much is looked at in one go: a head may be as much larger.
PIECE = 2 * 1024
MAX_CONNECTIONS = 1000
# Bytes of answers that clients have not read yet, all together.
MAX_UNREAD_BYTES = 32 * 1024 * 1024


class Phase(Enum):
    """What a connection does."""

    HEAD = "waits for a whole head"
    WORK = "answers a request"
    REST = "takes what is left of the body of a request that is answered"
    UNREAD = "sends an answer, whatever else it does"


# Seconds that each may take. An answer's time is bounded by what makes it.
SECONDS = {Phase.HEAD: 10.0, Phase.WORK: None, Phase.REST: 5.0, Phase.UNREAD: 30.0}


class Connections:
    """The connections of one server, and those that nothing is done for, oldest first."""

    def __init__(self, most: int = MAX_CONNECTIONS, unread: int = MAX_UNREAD_BYTES) -> None:
        """Begin with none."""
        self.most = most
        self.most_unread = unread
        self.open: set[Connection] = set()
        self.waiting: dict[Connection, None] = {}

    def enter(self, connection: "Connection", phase: Phase) -> None:
        """Put one at the end of those that wait, or away from them; make room for a new one."""
        self.open.add(connection)
        self.waiting.pop(connection, None)
        if phase is not Phase.WORK:
            self.waiting[connection] = None
        if len(self.open) > self.most:
            next(iter(self.waiting)).abort()
        if phase is Phase.UNREAD:
            self._bound_unread()

    def leave(self, connection: "Connection") -> None:
        """Forget one."""
        self.open.discard(connection)
        self.waiting.pop(connection, None)

    def _bound_unread(self) -> None:
        sizes = [
            (connection, connection.unread)
            for connection in self.waiting
            if connection.phase is Phase.UNREAD
        ]
        total = sum(size for _, size in sizes)
        for oldest, size in sizes:
            if total <= self.most_unread:
                return
            total -= size
            oldest.abort()


class Connection(H11Protocol):
    """One connection; `bounded` sets the `connections` that it is one of."""

    connections_here: Connections
    phase: Phase | None = None
    timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn's own way
        """Wait for the first head."""
        super().connection_made(transport)
        self.conn = Parser(h11.SERVER, MAX_HEAD_BYTES)
        self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._stop_timer()
        self.connections_here.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, in pieces: h11 looks at the size of a head only while it is not whole."""
        start = 0
        while start < len(data) and not self.transport.is_closing():
            in_body = self.conn.their_state is h11.SEND_BODY
            end = start + (MAX_HEAD_BYTES if in_body else PIECE)
            super().data_received(data[start:end])
            start = end
        self._settle()

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        super().on_response_complete()
        self._settle()

    def send_400_response(self, msg: str) -> None:
        """Answer with a problem, where nothing is answered yet; `msg` is uvicorn's own."""
        if self.cycle is not None:  # it waits for a body that will not come
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self.abort()
            return
        too_large = getattr(sys.exception(), "error_status_hint", 400) == 431
        detail = f"head: must be at most {MAX_HEAD_BYTES} bytes" if too_large else "not HTTP/1.1"
        answer = problem(431 if too_large else 400, detail, {"Connection": "close"})
        head = h11.Response(status_code=answer.status_code, headers=answer.raw_headers)
        for event in (head, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def shutdown(self) -> None:
        """Close it, after its answer where one is being made."""
        if self.conn.our_state is h11.ERROR:
            self.abort()
        else:
            super().shutdown()

    def abort(self) -> None:
        """Close it at once; what was not sent is lost."""
        self.connections_here.leave(self)
        self.transport.abort()

    @property
    def unread(self) -> int:
        """Return how many bytes of answers are not sent yet."""
        return self.transport.get_write_buffer_size()

    def _settle(self) -> None:
        """Note the phase, and how long it may take."""
        phase = self._current()
        if phase is self.phase or (self.transport.is_closing() and not self.unread):
            return
        self.phase = phase
        self._stop_timer()
        self.connections_here.enter(self, phase)
        seconds = SECONDS[phase]
        if seconds is not None:
            self.timer = self.loop.call_later(seconds, self._late)

    def _current(self) -> Phase:
        if self.unread:  # another request is not answered before this answer is read
            return Phase.UNREAD
        cycle = self.cycle
        if cycle is not None and not (cycle.response_complete or cycle.disconnected):
            return Phase.WORK
        return Phase.REST if self.conn.their_state is h11.SEND_BODY else Phase.HEAD

    def _late(self) -> None:
        """End it; but after an answer that was read, go on to wait."""
        if self.phase is Phase.UNREAD and not self.unread and not self.transport.is_closing():
            self._settle()
        else:
            self.abort()

    def _stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


def bounded(connections: Connections) -> type[Connection]:
    """Return the protocol for uvicorn's `http=`: it makes an object a connection."""
    return type("BoundedConnection", (Connection,), {"connections_here": connections})
