"""Ask a container's own HEALTHCHECK until it says yes, and measure how long that took.

The command of the HEALTHCHECK is run inside the container, so that this works for
an engine on another machine too, and asks what an orchestrator would ask.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.common.units import format_time
from scripts.engine import client as engine
from scripts.engine import containers, sandbox

if TYPE_CHECKING:
    from docker.models.containers import Container

# factor for the time of a service or a question that is late: the message can say by how much
PATIENCE = 3
# between two questions: they must not starve the service that starts
PAUSE_SECONDS = 0.1
# default timeout of a HEALTHCHECK (Dockerfile reference)
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Probe:
    """An image's HEALTHCHECK: its command, and the seconds that one run may take."""

    command: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Health:
    """Milliseconds until the first healthy answer, or until there was a `problem` instead."""

    ms: int
    problem: str = ""


def probe_of(image: Mapping[str, Any]) -> Probe | None:
    """Return the HEALTHCHECK of what the engine knows of an image, None where it has none."""
    check = image["Config"].get("Healthcheck") or {}
    kind, *words = check.get("Test") or ["NONE"]
    if kind == "NONE" or not words:
        return None
    command = ("/bin/sh", "-c", *words) if kind == "CMD-SHELL" else tuple(words)
    return Probe(command, (check.get("Timeout") or 0) / 1e9 or TIMEOUT_SECONDS)


def wait(client: engine.Client, container: Container, probe: Probe, budget: int) -> Health:
    """Start the container and ask `probe` until it says yes.

    The clock runs from before the engine is asked to start it to the end of the
    first healthy answer. `budget` is in milliseconds; a service that is late is
    waited for up to PATIENCE times as long.
    """
    begun = time.monotonic()
    end = begun + PATIENCE * budget / 1000
    try:
        sandbox.start(container)
    except containers.CommandError as refused:
        return Health(_since(begun), f'cannot be started "{refused}"')
    while True:
        problem = ask(client, container, probe, end)
        if not problem:
            return Health(_since(begun))
        code = sandbox.exit_code(container)
        if code is not None:
            return Health(_since(begun), f'ended with "{code}"{last_output(container)}')
        if time.monotonic() >= end:
            waited = f'not healthy after "{format_time(_since(begun))}", {problem}'
            return Health(_since(begun), waited + last_output(container))
        time.sleep(PAUSE_SECONDS)


def ask(client: engine.Client, container: Container, probe: Probe, end: float = 0) -> str:
    """Run the health check once; return "" for yes, else what is wrong.

    One that takes too long is waited for, PATIENCE times as long and until `end` (a time of the
    monotonic clock) at most: a second one beside it would take processor time from the service.
    """
    remaining = end - time.monotonic() - probe.seconds
    patience = max(0.0, min(remaining, PATIENCE * probe.seconds))
    try:
        code = sandbox.execute(client, container, probe.command, probe.seconds, patience)
    except containers.CommandError as refused:
        return f"health check cannot be run: {refused}"
    return f"health check exited with {code}" if code else ""


def last_output(container: Container) -> str:
    """Return the container's last words to put behind a problem: `, last words "…"`."""
    words = sandbox.one_line(sandbox.output(container, sandbox.LAST_LINES))
    return f', last words "{words}"' if words else ", it said nothing"


def _since(begun: float) -> int:
    return round((time.monotonic() - begun) * 1000)
