"""Record all system calls of a service: of its start, health check, requests and stop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from scripts.catalog.catalog import Catalog, Image
from scripts.checks.runtime import seccomp, seccomp_profile, service
from scripts.checks.runtime.requests_file import Answer
from scripts.checks.runtime.seccomp_listener import Listener, listening
from scripts.common.errors import SutraError
from scripts.engine import client as engine
from scripts.engine import health, sandbox
from scripts.engine.sandbox import Setup

STOP_SECONDS = 10
# the factor by which a start and a health check may be slower: each call waits for our answer
SLOWER = 10
WORKS = "`make verify-runtime` shows whether the service works"
LOCAL = "run it on the machine of the engine; Docker Desktop's is a virtual machine"


@dataclass(frozen=True)
class Recorded:
    """The names of the calls that were seen, and how the requests were answered."""

    names: frozenset[str]
    answers: tuple[Answer, ...] = ()


def record(
    client: engine.Client, promises: Catalog, image: Image, inspected: Mapping[str, Any]
) -> Recorded:
    """Return what the service calls. Raises SutraError where that cannot be seen.

    `inspected` is what the engine knows of the image. What it needs beside it is started as always.
    """
    if engine.is_remote(client):
        raise SutraError(f"seccomp: {seccomp.ELSEWHERE}", LOCAL)
    # without its own profile, which may not be there yet
    bare = replace(image, runtime=replace(image.runtime, seccomp=""))
    with sandbox.network(client) as network, listening() as listener:
        setup = service.setup_of(bare, inspected, network)
        setup = replace(setup, seccomp=seccomp_profile.watching((), listener.path))
        try:
            with service.beside(client, promises, image, network, {}):
                answers = _run(client, image, inspected, setup, listener)
        except service.NeedError as problem:
            raise SutraError(f"seccomp: {image.name}: {problem}", WORKS) from problem
        return Recorded(listener.names(), tuple(answers))


def _run(
    client: engine.Client,
    image: Image,
    inspected: Mapping[str, Any],
    setup: Setup,
    listener: Listener,
) -> list[Answer]:
    """Start the service, use it and stop it; return the answers."""
    own, ready = health.probe_of(inspected), service.probe_of(image, inspected)
    if own is None or ready is None:
        raise SutraError(
            f'seccomp: no HEALTHCHECK in the image "{image.name}"',
            "only a service can be recorded: name one whose Dockerfile.prod has a HEALTHCHECK",
        )
    own, ready = (
        replace(slow_probe, seconds=SLOWER * slow_probe.seconds) for slow_probe in (own, ready)
    )
    with sandbox.container(client, setup) as container:
        budget = SLOWER * (image.budget.ready or 0)
        problem = health.wait(client, container, ready, budget).problem
        if not listener.is_connected:
            raise SutraError(f"seccomp: {image.name}: {seccomp.NOT_CONNECTED}", LOCAL)
        problem = problem or health.ask(client, container, own)
        if problem:
            raise SutraError(f"seccomp: {image.name}: {problem}", WORKS)
        answers = seccomp.send(client, image, setup) if image.runtime.requests else []
        sandbox.terminate(container)
        sandbox.ended(container, SLOWER * STOP_SECONDS)
    return answers
