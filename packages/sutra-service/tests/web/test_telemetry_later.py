import subprocess
import sys

from processes import environment

# FastAPI's telemetry takes part where there are providers, which the patch says
TELEMETRY = """
import asyncio, sys
from sutra_service.web.startup import quick_imports
with quick_imports():
    from fastapi import FastAPI
    from fastapi.telemetry import get_telemetry_data
    import fastapi.telemetry._asgi as native
    import httpx

def of_telemetry():
    return [name for name in sys.modules if name.partition(".")[0] == "opentelemetry"]

def app_with(telemetry):
    app = FastAPI(telemetry=telemetry)
    app.get("/data")(lambda number=1: get_telemetry_data() is not None)
    app.get("/number")(number)
    app.get("/broken")(lambda: 1 / 0)
    return app

def number(number: int) -> int:
    return number

async def answers(app):
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        got = [await client.get(path) for path in ("/data", "/number?number=x", "/broken")]
    return [each.status_code for each in got], got[0].json()

async def start_and_end(app):
    sent = [{"type": "lifespan.shutdown"}, {"type": "lifespan.startup"}]
    async def receive():
        return sent.pop()
    async def send(message):
        print(message["type"])
    await app({"type": "lifespan", "app": app, "state": {}}, receive, send)

off = app_with(dict.fromkeys(("tracing", "metrics", "logs", "operation_spans"), False))
asyncio.run(start_and_end(off))
native._unconfigured = lambda _: False
print(asyncio.run(answers(off)), of_telemetry())
print(asyncio.run(answers(app_with({}))), "opentelemetry.trace" in of_telemetry())
from opentelemetry import context, trace
print(trace.__spec__.name, context.get_value("key", context.set_value("key", 1)))
"""
EARLY = """
import sys
from sutra_service.web.telemetry_later import telemetry_later
with telemetry_later():
    from opentelemetry import trace
    from opentelemetry.trace import SpanKind
    assert "opentelemetry.trace.span" not in sys.modules
    print(SpanKind.SERVER.name, trace.get_current_span().is_recording())
    import opentelemetry.trace as real
assert real.SpanKind.SERVER is SpanKind.SERVER and real is not trace
with telemetry_later():
    import opentelemetry.trace
assert opentelemetry.trace is real
"""


def _run(code: str) -> tuple[int, str, list[str]]:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment(),
        check=False,
        capture_output=True,
        text=True,
    )
    return run.returncode, run.stderr, run.stdout.splitlines()


def test_telemetry_is_imported_when_it_is_switched_on() -> None:
    assert _run(TELEMETRY) == (
        0,
        "",
        [
            "lifespan.startup.complete",
            "lifespan.shutdown.complete",
            "([200, 422, 500], False) []",
            "([200, 422, 500], True) True",
            "opentelemetry.trace 1",
        ],
    )


def test_telemetry_that_is_used_while_it_is_imported_is_the_real_one() -> None:
    assert _run(EARLY) == (0, "", ["SERVER False"])
