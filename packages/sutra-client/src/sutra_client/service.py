"""What both services wear: request ids, log lines, metrics, limits, problems, and the token."""

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.responses import Response
from fastapi.telemetry import TelemetryConfig

from sutra_client.bearer import Bearer
from sutra_client.body_limit import ARRIVE_SECONDS, MAX_BODY_BYTES, BodyLimit
from sutra_client.metrics import CONTENT_TYPE, Metrics
from sutra_client.observe import MAX_IN_FLIGHT, Observe
from sutra_client.problem import add_handlers

# FastAPI's own, for OpenTelemetry: nothing here collects it, and it is a quarter of the CPU time of
# a request that has little else to do.
NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
}


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
    """Equip `app`, and give it `GET /metrics`.

    `key` is the bearer token that every path but /health then needs; `max_body` the most bytes of
    a request's body, `max_bodies` exceptions by path, `body_seconds` how long it may take to
    arrive. Beyond `max_in_flight` requests at once, the next is answered 503.
    Starlette's first middleware is the last one added: what is added after this sees a request
    before all of these.
    """
    add_handlers(app)
    app.add_middleware(BodyLimit, most=max_body, routes=max_bodies, seconds=body_seconds)
    if key is not None:
        app.add_middleware(Bearer, key=key)
    app.add_middleware(Observe, metrics=metrics, max_in_flight=max_in_flight)
    app.state.metrics = metrics
    app.add_api_route("/metrics", show_metrics, response_class=Response, tags=["service"])


async def show_metrics(request: Request) -> Response:
    """Return what this process counts, in Prometheus' text format."""
    metrics: Metrics = request.app.state.metrics
    return Response(metrics.render(), headers={"Content-Type": CONTENT_TYPE})
