"""Run one service as it is deployed, beside what it needs, and check what it does.

It is started with a read-only root, where it must become healthy and end on SIGTERM;
once more to count the processor time of its start (scripts.checks.runtime.start_cost);
and with a root that it could write to, where `docker diff` shows what it tries until
it is healthy, and when it ends. A read-only root alone hides writes whose failure a
service passes over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scripts.catalog.catalog import Catalog, Image
from scripts.checks.runtime import emulated, seccomp, seccomp_profile, start_cost
from scripts.common.check_result import CheckResult
from scripts.common.errors import SutraError
from scripts.common.units import format_size, format_time
from scripts.engine import client as engine
from scripts.engine import health, images, sandbox
from scripts.engine.health import Health, Probe
from scripts.engine.sandbox import Memory, Setup

if TYPE_CHECKING:
    from docker.models.containers import Container

# time that `docker stop` gives a container before it kills it
STOP_MS = 10_000
STARTS = 3


def verify(
    client: engine.Client,
    promises: Catalog,
    image: Image,
    inspected: Mapping[str, Any],
    others: Mapping[str, str],
) -> list[CheckResult]:
    """Return the checks of a service; none for an image without HEALTHCHECK and `budget.ready`.

    `inspected` is what the engine knows of the image. Raises SutraError for a
    HEALTHCHECK without `budget.ready`: the service would never be started.
    """
    file, probe = str(promises.path), probe_of(image, inspected)
    if image.budget.ready is None:
        if probe:
            raise SutraError(
                f"{file}: images.{image.key}.budget.ready: "
                "missing, though the image has a HEALTHCHECK",
                f'say in {promises.path} how soon it must be healthy, eg "ready: 5 s"',
            )
        return []
    if probe is None:
        return [_ready(file, image, Health(0, f'no HEALTHCHECK in the image "{image.name}"'))]
    with sandbox.network(client) as network:
        setup = setup_of(image, inspected, network)
        try:
            with beside(client, promises, image, network, others):
                results = _read_only(client, image, setup, probe, file)
                if results[1:]:  # it became healthy, in time or not
                    results += start_cost.verify(client, image, setup, probe, file)
                    results += _watched(client, image, setup, probe, inspected, file)
                return results
        except NeedError as problem:
            return [_ready(file, image, Health(0, str(problem)))]


def probe_of(image: Image, inspected: Mapping[str, Any]) -> Probe | None:
    """Return what says that the image is ready: `runtime.ready`, or its HEALTHCHECK."""
    probe = health.probe_of(inspected)
    if probe is None:
        return None
    return emulated.slowed_probe(
        image, replace(probe, command=image.runtime.ready or probe.command)
    )


def setup_of(image: Image, inspected: Mapping[str, Any], network: str) -> Setup:
    """Return how it is started; declared places that are no volume of the image are a tmpfs."""
    places = tuple(place for place in image.runtime.writes if place not in _volumes(inspected))
    setup = Setup(inspected["Id"], (), network, image.runtime.alias or image.key, places)
    if not _has_profile(image):
        return setup
    return replace(setup, seccomp=seccomp_profile.text(seccomp_profile.names_in(image)))


def _has_profile(image: Image) -> bool:
    """Return whether it is held to a profile; not under an emulator, which makes its own calls."""
    return bool(image.runtime.seccomp) and not image.architecture


def _volumes(inspected: Mapping[str, Any]) -> set[str]:
    return set(inspected["Config"].get("Volumes") or {})


class NeedError(Exception):
    """A service that another one needs did not become healthy."""


@contextmanager
def beside(
    client: engine.Client, promises: Catalog, image: Image, network: str, others: Mapping[str, str]
) -> Iterator[None]:
    """Start what `image` needs, and before it what that needs, on the same network."""
    with ExitStack() as stack:
        for need in _in_order(promises, image):
            reference = others.get(need.name, need.reference)
            inspected = images.inspect(client, reference)
            if inspected is None:
                raise promises.not_built(need, reference)
            need = emulated.slowed(need)
            probe = probe_of(need, inspected)
            if probe is None:
                raise NeedError(f'it needs "{need.name}", which has no HEALTHCHECK')
            setup = setup_of(need, inspected, network)
            container = stack.enter_context(sandbox.container(client, setup))
            started = health.wait(client, container, probe, need.budget.ready or 0)
            if started.problem:
                raise NeedError(f'it needs "{need.name}": {started.problem}')
        yield


def _in_order(promises: Catalog, image: Image) -> list[Image]:
    """Return what `image` needs, each after what it needs itself; the catalogue has no cycle."""
    needs: dict[str, Image] = {}
    for need in map(promises.find, image.runtime.needs):
        needs |= {needed.name: needed for needed in (*_in_order(promises, need), need)}
    return list(needs.values())


def _read_only(
    client: engine.Client, image: Image, setup: Setup, probe: Probe, file: str
) -> list[CheckResult]:
    """Return ready, memory and stop; ready alone when it did not become healthy.

    A busy machine makes a start late, never early: one that is late is tried again,
    and the last of STARTS counts.
    """
    for starts_left in reversed(range(STARTS)):
        with sandbox.container(client, setup) as container:
            started = health.wait(client, container, probe, image.budget.ready or 0)
            ready = _ready(file, image, started)
            if started.problem:
                return [ready]
            if ready.ok or not starts_left:
                memory = _memory(file, image, sandbox.memory(client, container))
                return [ready, memory, _stop(file, image, container)]
    raise AssertionError("the last start returns")


def _watched(
    client: engine.Client,
    image: Image,
    setup: Setup,
    probe: Probe,
    inspected: Mapping[str, Any],
    file: str,
) -> list[CheckResult]:
    """Return what the service writes, and with a seccomp profile what it calls outside of it."""
    if not _has_profile(image):
        return [_writable(client, image, setup, probe, inspected, file)]
    with seccomp.watch(client, image, setup) as watch:
        writes = _writable(client, image, watch.setup, probe, inspected, file, watch.use)
        calls = watch.result(file)
    if watch.why == seccomp.NOT_CONNECTED:  # the engine could not start it so
        writes = _writable(client, image, setup, probe, inspected, file)
    return [writes, calls]


def _writable(
    client: engine.Client,
    image: Image,
    setup: Setup,
    probe: Probe,
    inspected: Mapping[str, Any],
    file: str,
    use: Callable[[], None] = lambda: None,
) -> CheckResult:
    """Return what the service writes outside the declared places, where the root lets it.

    `use` is called once it is healthy.
    """
    with sandbox.container(client, replace(setup, read_only=False)) as container:
        started = health.wait(client, container, probe, image.budget.ready or 0)
        if not started.problem:
            use()
        written = sandbox.written(client, container)
        # a service may write and remove files while it stops
        sandbox.terminate(container)
        sandbox.ended(container, STOP_MS / 1000)
        written |= sandbox.written(client, container)
        places = _outside(image, inspected, sandbox.deepest(written))
    more = f" (+{len(places) - 1} more)" if places[1:] else ""
    problem = f'written outside them "{sandbox.one_line(places[0])}"{more}' if places else ""
    if started.problem:
        problem = f"where the root can be written to, {started.problem}"
    count = max(len(places), bool(started.problem))
    key = f"images.{image.key}.runtime.writes"
    return CheckResult(
        image.name, "writes", not count, count, 0, problem, "findings", file=file, key=key
    )


def _outside(image: Image, inspected: Mapping[str, Any], written: Sequence[str]) -> list[str]:
    """Return volumes that are no declared place, and what was written outside of those.

    The engine itself makes the folder of a declared place, where the image has none.
    """
    declared = image.runtime.writes
    undeclared = sorted(_volumes(inspected) - set(declared))
    return [f"{place} (a volume)" for place in undeclared] + [
        path for path in written if not any(f"{path}/".startswith(f"{d}/") for d in declared)
    ]


def _ready(file: str, image: Image, started: Health) -> CheckResult:
    limit = image.budget.ready or 0
    ok, problem = not started.problem and started.ms <= limit, started.problem
    if not ok and not problem:
        late = f'healthy too late "{format_time(started.ms)}", {format_time(limit)} allowed'
        problem = f"{late} (+{started.ms - limit} ms)"
    key = f"images.{image.key}.budget.ready"
    return CheckResult(
        image.name, "ready", ok, started.ms, limit, problem, "ms", file=file, key=key
    )


def _memory(file: str, image: Image, memory: Memory) -> CheckResult:
    """Return the memory after start; without a budget it has no limit, and is only shown.

    Memory that nothing could count passes, and the result says so.
    """
    limit, actual, problem = image.budget.memory, memory.held, ""
    if actual is None:
        problem = f"not measured: {memory.why}"
    elif limit is not None and actual > limit:
        over = f'over budget "{format_size(actual)}", {format_size(limit)} allowed'
        problem = f"{over} (+{actual - limit} bytes)"
    key, ok = f"images.{image.key}.budget.memory", actual is None or not problem
    return CheckResult(image.name, "memory", ok, actual, limit, problem, file=file, key=key)


def _stop(file: str, image: Image, container: Container) -> CheckResult:
    """Send SIGTERM; the service must end with 0 before `docker stop` would kill it."""
    begun = time.monotonic()
    sandbox.terminate(container)
    code = sandbox.ended(container, STOP_MS / 1000)
    actual = round((time.monotonic() - begun) * 1000)
    ok = code == 0 and actual <= STOP_MS
    took = format_time(actual)
    ending = f'still running "{took}"' if code is None else f'ended with "{code}" {took}'
    problem = "" if ok else f"{ending} after SIGTERM{health.last_output(container)}"
    key = f"images.{image.key}"
    return CheckResult(image.name, "stop", ok, actual, STOP_MS, problem, "ms", file=file, key=key)
