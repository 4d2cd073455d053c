"""Start a service as it is deployed, and record which files of its image are opened.

The trace begins before the service's first process and ends after its last: what it opens to
start, for its health check, for the requests, and to stop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.catalog.catalog import Catalog, Image
from scripts.checks.runtime import requests_file, service
from scripts.checks.runtime.requests_file import Answer, Request
from scripts.common.errors import SutraError
from scripts.engine import client as engine
from scripts.engine import fanotify, health, root_mount, sandbox
from scripts.engine.fanotify import Opened, Trace
from scripts.engine.health import Probe
from scripts.engine.sandbox import Setup

if TYPE_CHECKING:
    from docker.models.containers import Container

# starts until one is traced from its first moment
STARTS = 3
STOP_SECONDS = 10
TIP = "`make verify-runtime` shows whether the service works"
LOCAL = (
    "run it as root on the machine of a rootful engine with overlay2 or containerd's overlayfs; "
    "Docker Desktop's is a virtual machine"
)


@dataclass(frozen=True)
class Traced:
    """The paths that were opened in the container's root, and how its requests were answered."""

    opened: frozenset[str]
    answers: tuple[Answer, ...] = ()


@dataclass(frozen=True)
class _Run:
    """How a service is run: its setup, what says that it is ready, its HEALTHCHECK, requests."""

    client: engine.Client
    image: Image
    setup: Setup
    ready: Probe
    own: Probe | None
    requests: Sequence[Request]


def record(
    client: engine.Client,
    promises: Catalog,
    image: Image,
    inspected: Mapping[str, Any],
    requests: Sequence[Request],
) -> Traced:
    """Return what the service opens. Raises SutraError where that cannot be seen.

    `inspected` is what the engine knows of the image.
    """
    probe = require_service(image, inspected)
    if engine.is_remote(client):
        raise SutraError("floor: the engine is on another machine", LOCAL)
    with fanotify.trace(), sandbox.network(client) as network:  # refused before anything starts
        setup = service.setup_of(image, inspected, network)
        run = _Run(client, image, setup, probe, health.probe_of(inspected), requests)
        try:
            with service.beside(client, promises, image, network, {}):
                for _ in range(STARTS):
                    with fanotify.trace() as trace, sandbox.container(client, setup) as container:
                        traced = _once(run, trace, container)
                    if traced:
                        return traced
        except service.NeedError as problem:
            raise SutraError(f"floor: {image.name}: {problem}", TIP) from problem
    raise SutraError(f"floor: {image.name}: started before it could be traced", "run it again")


def require_service(image: Image, inspected: Mapping[str, Any]) -> Probe:
    """Return what says that the service is ready. Raises SutraError for an image without it."""
    probe = service.probe_of(image, inspected)
    if probe is None:
        raise SutraError(
            f'floor: no HEALTHCHECK in the image "{image.name}"',
            "only a service can be traced: name one whose Dockerfile.prod has a HEALTHCHECK",
        )
    return probe


def _once(run: _Run, trace: Trace, container: Container) -> Traced | None:
    """Return what one start opens, None where its beginning was missed."""
    place = _started(run, trace, container)
    first = _first_process(container)
    opened = trace.read()
    if not has_begun(opened, first):
        return None
    answers = _used(run, container)
    opened += trace.read()
    sandbox.terminate(container)
    sandbox.ended(container, STOP_SECONDS)
    opened += trace.read()
    return Traced(paths(opened, place), tuple(answers))


def _started(run: _Run, trace: Trace, container: Container) -> str:
    """Start the service, watched as soon as its root is mounted; return where that is."""
    places: list[str] = []

    def watch(place: str) -> None:
        trace.watch(place)
        places.append(place)

    with root_mount.when_mounted(container, watch):
        started = health.wait(run.client, container, run.ready, run.image.budget.ready or 0)
    _refuse(run, started.problem)
    if not places:
        raise SutraError("floor: the root of the container cannot be seen from here", LOCAL)
    return places[0]


def _used(run: _Run, container: Container) -> list[Answer]:
    """Ask the HEALTHCHECK, where another command said that it is ready, and send requests."""
    if run.own and run.own != run.ready:
        _refuse(run, health.ask(run.client, container, run.own))
    if not run.requests:
        return []
    addresses = requests_file.addresses(run.client, run.setup.network)
    return requests_file.send(addresses, run.setup.alias, run.requests)


def _refuse(run: _Run, problem: str) -> None:
    if problem:
        raise SutraError(f"floor: {run.image.name}: {problem}", TIP)


def has_begun(opened: Sequence[Opened], process: int) -> bool:
    """Return whether the program of the container's first process was seen to be executed."""
    return any(
        opening.mask & fanotify.OPEN_EXEC and opening.process == process for opening in opened
    )


def paths(opened: Sequence[Opened], place: str) -> frozenset[str]:
    """Return the opened paths inside of the image; the engine itself sees them below `place`."""
    return frozenset(opening.path.removeprefix(place).lstrip("/") for opening in opened)


def _first_process(container: Container) -> int:
    with engine.request("inspect a container"):
        container.reload()
        return int(container.attrs["State"]["Pid"])
