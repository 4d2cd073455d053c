"""The FastAPI application."""

import os

from fastapi import FastAPI

from sutra_service.settings import api_key
from sutra_service.web.metrics import Metrics
from sutra_service.web.service import NO_TELEMETRY, equip


def create_app() -> FastAPI:
    """Return the app, set up from the environment. Raises SettingsError."""
    app = FastAPI(
        title="sample-service",
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
        docs_url=None,  # both pages load scripts from a public host
        redoc_url=None,
    )
    equip(app, Metrics(), key=api_key(os.environ))
    app.add_api_route("/health", health)
    app.add_api_route("/hello/{name}", hello)
    return app


async def health() -> dict[str, str]:
    """Return whether the service can do its work, and requests may be sent here."""
    return {"status": "ok"}


async def hello(name: str) -> dict[str, str]:
    """Greet: replace this with what the service is for."""
    return {"hello": name}
