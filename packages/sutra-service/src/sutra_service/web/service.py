"""The layers of every service: request ids, log lines, metrics, limits, problems, and the token."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response
from fastapi.telemetry import TelemetryConfig

from sutra_service.web.bearer import Bearer
from sutra_service.web.body_limit import ARRIVE_SECONDS, MAX_BODY_BYTES, BodyLimit
from sutra_service.web.described import errors
from sutra_service.web.head import Head
from sutra_service.web.in_flight import MAX_IN_FLIGHT, InFlight
from sutra_service.web.lifecycle import LIVE, Lifecycle
from sutra_service.web.metrics import CONTENT_TYPE, Metrics
from sutra_service.web.observe import Observe
from sutra_service.web.problem import add_handlers
from sutra_service.web.query import known_query

# FastAPI's own, for OpenTelemetry: nothing here collects it, and it is a quarter of the CPU time of
# a request that has little else to do.
NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
}


@dataclass(frozen=True)
class Live:
    """Answer of GET /live."""

    status: Literal["ok"] = "ok"


def equip(
    app: FastAPI,
    metrics: Metrics,
    *,
    key: str | None = None,
    max_body: int = MAX_BODY_BYTES,
    max_bodies: Mapping[str, int] | None = None,
    max_in_flight: int = MAX_IN_FLIGHT,
    body_seconds: float = ARRIVE_SECONDS,
) -> None:
    """Equip `app`, and give it `GET /live` and `GET /metrics`.

    `key` is the bearer token that every path but the probes then needs; `max_body` the most bytes
    of a request's body, `max_bodies` exceptions by path, `body_seconds` how long it may take to
    arrive. Beyond `max_in_flight` requests at once, the next is answered 503.
    Starlette's first middleware is the last one added: what is added after this sees a request
    before all of these.
    """
    add_handlers(app)
    app.add_middleware(InFlight, most=max_in_flight)
    app.add_middleware(BodyLimit, most=max_body, routes=max_bodies, seconds=body_seconds)
    app.add_middleware(Head)
    if key is not None:
        app.add_middleware(Bearer, key=key)
    app.state.lifecycle = Lifecycle()
    app.add_middleware(Observe, metrics=metrics, lifecycle=app.state.lifecycle)
    app.state.metrics = metrics
    dependencies = [Depends(known_query)]
    app.add_api_route(LIVE, live, dependencies=dependencies, responses=errors(), tags=["service"])
    app.add_api_route("/metrics", show_metrics, response_class=Response, tags=["service"])


async def live() -> Live:
    """Say that this process answers, whatever its storage does: whether to start it again."""
    return Live()


async def show_metrics(request: Request) -> Response:
    """Return what this process counts, in Prometheus' text format."""
    metrics: Metrics = request.app.state.metrics
    return Response(metrics.render(), headers={"Content-Type": CONTENT_TYPE})
