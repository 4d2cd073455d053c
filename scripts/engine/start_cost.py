"""Measure a start's processor time and duration, while no request reaches the service.

A health check runs inside the container and takes processor time of its own, more than the
service where it has a quarter of a processor. So the service is left alone until its port takes
a connection, and asked then; what a question took that came too early is subtracted.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.common.errors import EngineError
from scripts.common.text import printable
from scripts.engine import client as engine
from scripts.engine import containers, health, sandbox
from scripts.engine.health import PATIENCE, Probe

if TYPE_CHECKING:
    from docker.models.containers import Container

PAUSE_SECONDS = 0.005
# a host that reaches the container is refused at once, as long as nothing listens
CONNECT_SECONDS, UNREACHED_SECONDS = 0.5, 2
TCP = "/tcp"


@dataclass(frozen=True)
class StartCost:
    """Milliseconds from the start to the first healthy answer, and those of processor time.

    None, and why, where they could not be measured; or the `problem` of the service.
    """

    ms: int | None = None
    cpu_ms: int | None = None
    why: str = ""
    problem: str = ""


class UncountedError(EngineError):
    """The engine counts no processor time; any other error of it ends the command."""


class _UnmeasuredError(Exception):
    """It cannot be measured here; the text says why."""


def measure(client: engine.Client, container: Container, probe: Probe, budget: int) -> StartCost:
    """Start the container and return what its start cost. `budget` is as in health.wait."""
    try:
        port = _port(client, container)
        begun = time.monotonic()
        sandbox.start(container)
        address = _address(container), port
        return _watched(client, container, probe, address, begun, begun + PATIENCE * budget / 1000)
    except containers.CommandError as refused:
        return StartCost(problem=f'cannot be started "{refused}"')
    except _UnmeasuredError as error:
        return StartCost(why=str(error))
    except UncountedError as error:
        return StartCost(why=printable(error.problem))


def _port(client: engine.Client, container: Container) -> int:
    """Return the first port of the container's image."""
    if engine.is_remote(client):
        raise _UnmeasuredError("the engine is on another machine")
    with engine.request("inspect a container"):
        exposed = container.attrs["Config"].get("ExposedPorts") or {}
        ports = [int(port.removesuffix(TCP)) for port in exposed if port.endswith(TCP)]
    if not ports:
        raise _UnmeasuredError("no EXPOSE in the image says where it listens")
    return min(ports)


def _address(container: Container) -> str:
    """Return the address of a container that runs on one network; "" when it has ended."""
    with engine.request("inspect a container"):
        container.reload()
        networks = container.attrs["NetworkSettings"]["Networks"].values()
        return next((str(network["IPAddress"]) for network in networks if network["IPAddress"]), "")


def _watched(
    client: engine.Client,
    container: Container,
    probe: Probe,
    address: tuple[str, int],
    begun: float,
    end: float,
) -> StartCost:
    asked_ns = 0
    while True:
        problem = _wait_for_port(container, address, end)
        ms, used_ns = round((time.monotonic() - begun) * 1000), processor_ns(client, container)
        problem = problem or health.ask(client, container, probe, end)
        if not problem:
            return StartCost(ms, round((used_ns - asked_ns) / 1e6))
        code = sandbox.exit_code(container)
        if code is not None:
            return StartCost(problem=f'ended with "{code}"{health.last_output(container)}')
        if time.monotonic() >= end:
            return StartCost(problem=f"not healthy, {problem}{health.last_output(container)}")
        asked_ns += processor_ns(client, container) - used_ns


def _wait_for_port(container: Container, address: tuple[str, int], end: float) -> str:
    """Return "" when the port takes a connection; else what is wrong when time is over."""
    begun, is_reached = time.monotonic(), False
    while time.monotonic() < end:
        try:
            with socket.create_connection(address, CONNECT_SECONDS):
                return ""
        except ConnectionRefusedError:
            is_reached = True
        except OSError as error:
            if not is_reached and time.monotonic() - begun > UNREACHED_SECONDS:
                raise _UnmeasuredError(
                    f"containers cannot be reached from here ({error})"
                ) from error
        if sandbox.exit_code(container) is not None:
            return "it ended"
        time.sleep(PAUSE_SECONDS)
    return f"nothing listens on port {address[1]}"


def processor_ns(client: engine.Client, container: Container) -> int:
    """Return the nanoseconds of processor time that the container took since its start.

    Raises UncountedError where the engine does not count it, EngineError where it fails.
    """
    with engine.request("count a container's processor time"):
        answer = client.api.stats(str(container.id), stream=False, one_shot=True)
        counted = (answer.get("cpu_stats") or {}).get("cpu_usage") or {}
        if counted.get("total_usage"):
            return int(counted["total_usage"])
        if sandbox.exit_code(container) is not None:
            return 0
        reason = str(answer.get("message") or "none in its answer").splitlines()[0]
    raise UncountedError(f"counts no processor time of containers ({reason})")
