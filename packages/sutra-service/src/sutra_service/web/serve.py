"""Run a service under uvicorn: settings from the environment, JSON log lines, clean stop.

Heavy imports happen inside `main`, after the signal handlers are in place: a process that is
PID 1 of a container gets no default handlers from the kernel and would ignore an early SIGTERM.
"""

import json
import logging
import os
import signal
import sys
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from sutra_service.context import request_id
from sutra_service.settings import SettingsError, number, port
from sutra_service.web.startup import quick_imports

# The most seconds from not ready to closing: an orchestrator kills at some time, too.
MAX_DRAIN_SECONDS = 300


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time (UTC), level, logger, message; if any, request id, fields and traceback."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if current := request_id.get():
            line["request_id"] = current
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def main(factory: str, default_port: int) -> int:
    """Serve the app that `factory` ("module:function") makes; return the exit status.

    0 after SIGTERM or SIGINT, 1 when the server could not start, 2 on a wrong setting.
    SUTRA_HOST (default 0.0.0.0: a container's own network) and SUTRA_PORT say where,
    SUTRA_DRAIN_SECONDS how long a load balancer gets to notice a stop.
    """
    _on_stop(_leave)
    _log_as_json()
    try:
        return _serve(
            factory, os.environ.get("SUTRA_HOST", "0.0.0.0"), port(os.environ, default_port)
        )
    except SettingsError as error:
        print(f"{error}\ntip: {error.tip}", file=sys.stderr)
        return 2


def _serve(factory: str, host: str, port_number: int) -> int:
    drain_seconds = number(os.environ, "SUTRA_DRAIN_SECONDS", 0, 0, MAX_DRAIN_SECONDS)
    module, _, function = factory.partition(":")
    with quick_imports():
        app: Any = getattr(import_module(module), function)()
        from sutra_service.web import server

    listener = server.make(app, host, port_number, drain_seconds)

    def stop(_: int, __: object) -> None:
        listener.should_exit = True

    # uvicorn (0.29 and later) handles signals while it serves; afterwards it restores the
    # handlers it found and raises the signal again, which would end us by signal 15 instead
    # of status 0. The handler it finds is this one, and by then it changes nothing.
    # https://github.com/encode/uvicorn/pull/1600
    _on_stop(stop)
    try:
        listener.run()
    except SystemExit:  # port in use or failed start: uvicorn has logged it, and exits with 3
        return 1
    return 0


def _on_stop(handler: Any) -> None:
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, handler)


def _leave(_: int, __: object) -> None:
    raise SystemExit(0)


def _log_as_json() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every request at INFO
