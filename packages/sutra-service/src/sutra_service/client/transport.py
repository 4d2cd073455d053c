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

from sutra_service.client.answer import parsed
from sutra_service.client.errors import AnswerTooLarge, NotFound, StorageRefused, StorageUnavailable
from sutra_service.context import request_id

IDEMPOTENT = frozenset({"GET", "PUT", "DELETE"})
CONNECT_SECONDS = 1.0
# Whole time of a call in seconds: name look-up, connecting, a second try and the answer's body.
DEADLINE = 1.5
CONNECTIONS = 64
KEPT_ALIVE = 16
# Bytes of one answer. Parsed and written again it takes some four times as much.
MAX_ANSWER_BYTES = 2 * 1024 * 1024
AGAIN = "sutra.sent_again"

Report = Callable[[str, str, float], None]


def no_report(_: str, __: str, ___: float) -> None:
    """Tell nobody."""


class Transport:
    """A pool of connections to `url`.

    After each call, `report(method, outcome, seconds)` gets "ok", "refused" or "unavailable".
    """

    def __init__(
        self,
        url: str,
        transport: httpx.AsyncBaseTransport | None = None,
        deadline: float = DEADLINE,
        report: Report = no_report,
        key: str | None = None,
    ) -> None:
        """Connect lazily, as who has the bearer token `key`; a test passes a `transport`."""
        self._url = url
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
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
        self,
        method: str,
        path: str,
        deadline: float | None = None,
        most: int = MAX_ANSWER_BYTES,
        **options: Any,
    ) -> httpx.Response:
        """Return a successful answer, whole; raise StorageUnavailable or StorageRefused.

        One of more than `most` bytes raises AnswerTooLarge.
        """
        seconds = self._deadline if deadline is None else deadline
        headers = {**self._headers, **_request_id(), **options.pop("headers", {})}
        options |= {"extensions": _limits(seconds), "headers": headers}
        with self._reported(method):
            try:
                async with asyncio.timeout(seconds):
                    response = await self._send(method, path, most, **options)
            except TimeoutError:
                raise StorageUnavailable(f"no answer within {seconds:g} s") from None
            except httpx.RequestError as error:
                raise StorageUnavailable(str(error) or type(error).__name__) from error
            return _accepted(response)

    async def _send(self, method: str, path: str, most: int, **options: Any) -> httpx.Response:
        request = httpx.Request(method, self._url + path, **options)
        try:
            return await self._once(request, most)
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            if method not in IDEMPOTENT:
                raise
        response = await self._once(request, most)
        response.extensions[AGAIN] = True
        return response

    async def _once(self, request: httpx.Request, most: int) -> httpx.Response:
        response = await self._answered(request)
        response.request = request
        try:
            body = await _body(response, most)
        finally:
            await response.aclose()
        return httpx.Response(
            response.status_code, headers=response.headers, content=body, request=request
        )

    async def _answered(self, request: httpx.Request) -> httpx.Response:
        """Return the answer, its body unread; raise httpx.RequestError.

        A server that is killed as it takes a connection resets it. uvloop's transport then has no
        socket any more, and anyio asks that None for the peer's address before httpcore has sent
        anything: the AttributeError is the only sign of the lost connection.
        """
        try:
            return await self._pool.handle_async_request(request)
        except AttributeError as error:
            if error.name != "getpeername":
                raise
            raise httpx.ConnectError("the connection was reset as it was made") from error

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


async def _body(response: httpx.Response, most: int) -> bytes:
    """Return the whole body; raise AnswerTooLarge by the length announced, or when it is."""
    body = bytearray()
    announced = int(response.headers.get("content-length", 0))
    if announced <= most:
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > most:
                break
    if max(announced, len(body)) > most:
        path = response.request.url.path
        raise AnswerTooLarge(f"the answer to {path} is of more than {most} bytes")
    return bytes(body)


def _request_id() -> dict[str, str]:
    """Return the id of our own request as a header, so that both logs can be read together."""
    current = request_id.get()
    return {"X-Request-ID": current} if current else {}


def _limits(seconds: float) -> dict[str, Any]:
    """Return how long each step of a call may take, in httpx's words."""
    connect = min(CONNECT_SECONDS, seconds)
    return {"timeout": {"connect": connect, "pool": connect, "read": seconds, "write": seconds}}


def _accepted(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    problem = _problem(response)
    if problem["status"] == httpx.codes.UNAUTHORIZED:
        # not the caller's fault, whose own token was right
        raise StorageUnavailable(f"the storage wants another key: {problem['detail']}")
    refused = NotFound if problem["status"] == httpx.codes.NOT_FOUND else StorageRefused
    raise refused(problem, response.headers.get("retry-after"), AGAIN in response.extensions)


def _problem(response: httpx.Response) -> dict[str, Any]:
    """Return the problem of an error answer; the status is always that of the answer."""
    try:
        body = parsed(response)
    except (ValueError, RecursionError):
        body = None
    fields = body if isinstance(body, dict) else {}
    # not `str` of what is no string: it may be nested too deep for that
    words = {name: value for name, value in fields.items() if isinstance(value, str)}
    return {
        "type": words.get("type", "about:blank"),
        "title": words.get("title", response.reason_phrase),
        "status": response.status_code,
        "detail": words.get("detail", f"storage answered {response.status_code}"),
    }
