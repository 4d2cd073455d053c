"""Ask the storage server over HTTP: one pool, one deadline a call, one more try where that is safe.

What may be sent twice: GET, PUT and DELETE leave the same store behind, however often they arrive
(RFC 9110, 9.2.2), so that they are sent once more when the connection broke. A kept-alive one may
have been closed by a restarted server. POST never is. A timeout is not retried by any: that would
double the wait, and the server is known to be slow.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from sutra_client.context import request_id
from sutra_client.errors import NotFound, StorageRefused, StorageUnavailable

IDEMPOTENT = frozenset({"GET", "PUT", "DELETE"})
CONNECT_SECONDS = 1.0
# Whole time of a call in seconds: name look-up, connecting, a second try and the answer's body.
DEADLINE = 1.5
CONNECTIONS = 64
KEPT_ALIVE = 16
AGAIN = "sutra.sent_again"

Report = Callable[[str, str, float], None]


def no_report(_: str, __: str, ___: float) -> None:
    """Tell nobody."""


class Transport:
    """A pool of connections to `url`.

    After each call `report(method, outcome, seconds)` is told "ok", "refused" or "unavailable".
    """

    def __init__(
        self,
        url: str,
        transport: httpx.AsyncBaseTransport | None = None,
        deadline: float = DEADLINE,
        report: Report = no_report,
    ) -> None:
        """Connect lazily; a test passes a `transport` instead of a network."""
        self._url = url
        self._deadline = deadline
        self._report = report
        # Not httpx.AsyncClient: its redirects, cookies and proxies are of no use here, and are a
        # third of the CPU time of a call (1.4 against 1.0 ms).
        self._pool = transport or httpx.AsyncHTTPTransport(
            limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=KEPT_ALIVE),
            trust_env=False,
            verify=url.startswith("https:"),  # loading CA certificates takes tens of ms
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.aclose()

    async def ask(
        self, method: str, path: str, deadline: float | None = None, **options: Any
    ) -> httpx.Response:
        """Return a successful answer, whole; raise StorageUnavailable or StorageRefused."""
        seconds = self._deadline if deadline is None else deadline
        options = {**options, "extensions": _limits(seconds)}
        with self._reported(method):
            try:
                async with asyncio.timeout(seconds):
                    response = await self._send(method, path, **_with_id(options))
            except TimeoutError:
                raise StorageUnavailable(f"no answer within {seconds:g} s") from None
            except httpx.RequestError as error:
                raise StorageUnavailable(str(error) or type(error).__name__) from error
            return _accepted(response)

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        request = httpx.Request(method, self._url + path, **options)
        try:
            return await self._once(request)
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            if method not in IDEMPOTENT:
                raise
        response = await self._once(request)
        response.extensions[AGAIN] = True
        return response

    async def _once(self, request: httpx.Request) -> httpx.Response:
        response = await self._pool.handle_async_request(request)
        response.request = request
        try:
            await response.aread()
        finally:
            await response.aclose()
        return response

    @contextmanager
    def _reported(self, method: str) -> Iterator[None]:
        start, outcome = time.perf_counter(), "ok"
        try:
            yield
        except StorageRefused:
            outcome = "refused"
            raise
        except BaseException:  # a cancelled call is one that got no answer, too
            outcome = "unavailable"
            raise
        finally:
            self._report(method, outcome, time.perf_counter() - start)


def _with_id(options: dict[str, Any]) -> dict[str, Any]:
    """Pass the id of our own request on, so that both logs can be read together."""
    current = request_id.get()
    if not current:
        return options
    return {**options, "headers": {**options.get("headers", {}), "X-Request-ID": current}}


def _limits(seconds: float) -> dict[str, Any]:
    """Return how long each step of a call may take, in httpx's words."""
    connect = min(CONNECT_SECONDS, seconds)
    return {"timeout": {"connect": connect, "pool": connect, "read": seconds, "write": seconds}}


def _accepted(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    problem = _problem(response)
    refused = NotFound if problem["status"] == httpx.codes.NOT_FOUND else StorageRefused
    raise refused(problem, response.headers.get("retry-after"), AGAIN in response.extensions)


def _problem(response: httpx.Response) -> dict[str, Any]:
    """Return the problem of an error answer; the status is always that of the answer."""
    try:
        body = response.json()
    except ValueError:
        body = None
    given = body if isinstance(body, dict) else {}
    return {
        "type": str(given.get("type", "about:blank")),
        "title": str(given.get("title", response.reason_phrase)),
        "status": response.status_code,
        "detail": str(given.get("detail", f"storage answered {response.status_code}")),
    }
