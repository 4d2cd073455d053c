"""uvicorn with bounds on connections, and a stop in three steps that cuts nobody off.

After SIGTERM `/health` is 503 while everything is still answered, for as long as it takes a load
balancer to notice (`SUTRA_DRAIN_SECONDS`). Then new requests are answered 503, and those that have
begun get GRACE_SECONDS to end. Then connections are closed.
"""

import asyncio
import logging
import resource
from collections.abc import Callable
from typing import Any

from uvicorn import Config, Server

from sutra_service.web.connections import MAX_CONNECTIONS, Connections, bounded
from sutra_service.web.lifecycle import Lifecycle, Stage

logger = logging.getLogger(__name__)

# Seconds that running requests get; docker kills after ten.
GRACE_SECONDS = 5.0
# Seconds for those that were ended to answer so.
END_SECONDS = 2.0
# Seconds for clients to read their last answers.
CLOSE_SECONDS = 1.0
TICK = 0.05
# Descriptors for what is no connection of a client: the storage's 64, and files.
OTHER_DESCRIPTORS = 128


class GracefulServer(Server):
    """A server that tells `lifecycle` when it stops."""

    def __init__(self, config: Config, lifecycle: Lifecycle, drain_seconds: float) -> None:
        """Take `drain_seconds` from not ready to closing."""
        super().__init__(config)
        self.lifecycle = lifecycle
        self.drain_seconds = drain_seconds

    async def shutdown(self, sockets: Any = None) -> None:
        """Drain, end what runs, and close."""
        self.lifecycle.stage = Stage.DRAINING
        await self._wait(self.drain_seconds, lambda: False)
        self.lifecycle.stage = Stage.CLOSING
        await self._wait(GRACE_SECONDS, lambda: not self.server_state.tasks)
        await self._end_the_rest()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await self._wait(CLOSE_SECONDS, lambda: not self.server_state.connections)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)

    async def _wait(self, seconds: float, done: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end and not (done() or self.force_exit):
            await asyncio.sleep(TICK)

    async def _end_the_rest(self) -> None:
        """Cut off clients that do not read, and let the other requests answer 503."""
        for connection in list(self.server_state.connections):
            if connection.transport.get_write_buffer_size():
                connection.transport.abort()
        await asyncio.sleep(TICK)
        tasks = list(self.server_state.tasks)
        if tasks:
            logger.warning("ended %d requests that ran longer than the stop may take", len(tasks))
        for task in tasks:
            task.cancel()
        if tasks:  # a thread cannot be cancelled: it is not waited for much longer
            await asyncio.wait(tasks, timeout=END_SECONDS)


def make(app: Any, host: str, port: int, drain_seconds: float) -> GracefulServer:
    """Return the server of `app`, whose `state.lifecycle` it moves on."""
    config = Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=bounded(Connections(_most_connections())),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    return GracefulServer(config, app.state.lifecycle, drain_seconds)


def _most_connections() -> int:
    """Return how many fit into what this process may open, after asking for enough."""
    wanted = MAX_CONNECTIONS + OTHER_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(MAX_CONNECTIONS, soft - OTHER_DESCRIPTORS))
