"""Middleware: only requests with the right bearer token come in (RFC 6750)."""

import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from sutra_service.web.lifecycle import PROBES
from sutra_service.web.problem import ProblemResponse, problem

REALM = 'Bearer realm="sutra"'


class Bearer:
    """Answer 401 unless `Authorization: Bearer KEY` was sent; probes have no secrets."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        """Wrap `app`."""
        self.app = app
        self.key = key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse before the body is read."""
        refused = None
        if scope["type"] == "http" and scope["path"] not in PROBES:
            refused = self._refused(Headers(scope=scope).getlist("authorization"))
        await (refused or self.app)(scope, receive, send)

    def _refused(self, headers: list[str]) -> ProblemResponse | None:
        if not headers:
            detail = "needs the header Authorization: Bearer KEY"
            return problem(401, detail, {"WWW-Authenticate": REALM})
        scheme, _, token = headers[0].partition(" ")
        # The time of the comparison depends on the length alone; headers are latin-1.
        same = hmac.compare_digest(token.strip(" ").encode("latin-1"), self.key)
        if len(headers) == 1 and scheme.lower() == "bearer" and same:
            return None
        wrong = {"WWW-Authenticate": f'{REALM}, error="invalid_token"'}
        return problem(401, "the bearer token is wrong", wrong)
