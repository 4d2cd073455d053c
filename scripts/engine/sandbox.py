"""Containers that a check starts: hardened as in production, and always removed.

No capabilities, no new privileges, a read-only root, and either no network or an
internal one, on which containers reach one another and nothing else.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.common.errors import EngineError
from scripts.common.text import printable
from scripts.engine import client as engine
from scripts.engine import containers

if TYPE_CHECKING:
    from docker.models.containers import Container

# names what a killed run left behind: `docker ps -a --filter label=sutra.verify-runtime`
LABEL = "sutra.verify-runtime"
RUN = uuid.uuid4().hex[:8]
POLL_SECONDS = 0.02
# exit code of a command that took too long (`timeout` of coreutils)
TIMED_OUT = 124
LAST_LINES = 3
LAST_CHARACTERS = 300
# units that busybox puts behind a figure of its `ps`
PS_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@dataclass(frozen=True)
class Setup:
    """How a container is started: the image's own command where `command` is empty.

    `writes` are folders on a tmpfs that everybody may write to. `network` "none" is no network.
    """

    image: str
    command: tuple[str, ...] = ()
    network: str = "none"
    alias: str = ""
    writes: tuple[str, ...] = ()
    read_only: bool = True
    cpus: float | None = None  # the most processors that it gets
    environment: tuple[str, ...] = ()  # "NAME=value", beside the image's own
    seccomp: str = ""  # a profile's JSON; "" is the engine's own profile


@contextmanager
def network(client: engine.Client) -> Iterator[str]:
    """Make an internal network and yield its name."""
    name = _name("net")
    try:
        with engine.request("create a network"):
            client.networks.create(name, internal=True, labels={LABEL: RUN})
        yield name
    finally:
        containers.remove_network(client, name)


@contextmanager
def container(client: engine.Client, setup: Setup) -> Iterator[Container]:
    """Create a container, not started yet, and remove it with its volumes afterwards."""
    name = _name("box")
    joined = {}
    if setup.network != "none":
        aliases = [setup.alias] if setup.alias else None
        joined[setup.network] = client.api.create_endpoint_config(aliases=aliases)
    try:
        box = containers.create(
            client,
            setup.image,
            name=name,
            # an image's entry point would swallow a command of ours
            entrypoint=list(setup.command[:1]) or None,
            command=list(setup.command[1:]) or None,
            labels={LABEL: RUN},
            network=setup.network,
            networking_config=joined or None,
            environment=list(setup.environment),
            read_only=setup.read_only,
            tmpfs=dict.fromkeys(setup.writes, "mode=1777"),
            cap_drop=["ALL"],
            security_opt=_security(setup),
            nano_cpus=round(setup.cpus * 1e9) if setup.cpus else None,
            # the engine's own health checks would take processor time from what is measured
            healthcheck={"test": ["NONE"]},
        )
        yield box
    finally:
        containers.remove_container(client, name)


def _security(setup: Setup) -> list[str]:
    profile = [f"seccomp={setup.seccomp}"] if setup.seccomp else []
    return ["no-new-privileges:true", *profile]


def _name(kind: str) -> str:
    return f"sutra-verify-{RUN}-{kind}-{uuid.uuid4().hex[:8]}"


def start(box: Container) -> None:
    """Start a container. Raises engine.CommandError when its command cannot be run."""
    with containers.running():
        box.start()


def terminate(box: Container) -> None:
    """Send SIGTERM; a container that has ended by itself gets none."""
    with suppress(containers.CommandError), containers.running():
        box.kill("SIGTERM")


def ended(box: Container, seconds: float) -> int | None:
    """Wait until the container ends and return its exit code; None when it does not in time."""
    end = time.monotonic() + seconds
    while (code := exit_code(box)) is None and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
    return code


def exit_code(box: Container) -> int | None:
    """Return the exit code of a container that has ended, None while it runs."""
    with engine.request("inspect a container"):
        box.reload()
        state = box.attrs["State"]
        return None if state["Running"] else int(state["ExitCode"])


def execute(
    client: engine.Client,
    box: Container,
    command: Sequence[str],
    seconds: float,
    patience: float = 0,
) -> int:
    """Run `command` inside the running container and return its exit code.

    One that takes longer than `seconds` counts as failed (124, as `timeout` has it). No engine
    can end it, so that its end is waited for: `patience` more seconds, then it is left to itself.
    Raises engine.CommandError when it cannot be run.
    """
    with containers.running():
        identity = client.api.exec_create(str(box.id), list(command))["Id"]
        client.api.exec_start(identity, detach=True)
        end = time.monotonic() + seconds
        while time.monotonic() < end + patience:
            state = client.api.exec_inspect(identity)
            if not state["Running"]:
                return int(state["ExitCode"]) if time.monotonic() < end else TIMED_OUT
            time.sleep(POLL_SECONDS)
    return TIMED_OUT


def run(client: engine.Client, setup: Setup, seconds: float) -> tuple[int | None, str]:
    """Run one command to its end; return its exit code (None: not in time) and its output.

    Raises engine.CommandError when it cannot be run.
    """
    with container(client, setup) as box:
        start(box)
        code = ended(box, seconds)
        return code, output(box)


def output(box: Container, lines: int = 1000) -> str:
    """Return the last `lines` that the container has printed so far."""
    with engine.request("read a container's log"):
        return box.logs(tail=lines).decode(errors="replace")


def one_line(text: str) -> str:
    """Return the last lines of `text` as one printable line; its end, when it is long."""
    joined = " | ".join(line.strip() for line in text.splitlines()[-LAST_LINES:] if line.strip())
    shown = printable(joined)
    return shown if len(shown) <= LAST_CHARACTERS else "…" + shown[-LAST_CHARACTERS:]


@dataclass(frozen=True)
class Memory:
    """The bytes that a container holds; None, and why, where nothing could count them."""

    held: int | None
    why: str = ""


def memory(client: engine.Client, box: Container) -> Memory:
    """Return the bytes that a container holds; one that has ended holds none.

    An engine that counts no memory (nested, or without the memory cgroup) is asked for
    the container's processes instead; what these hold resident counts shared pages once
    for each of them, so that it is never too low.
    """
    problems = []
    for count in (_cgroup_memory, _process_memory):
        try:
            held = count(client, box)
        except EngineError as error:
            if exit_code(box) is not None:
                return Memory(0)
            problems.append(error.problem)
        else:
            return Memory(held)
    return Memory(None, printable("; ".join(problems)))


def _cgroup_memory(client: engine.Client, box: Container) -> int:
    """Return the memory that the engine counts, without cache that can be dropped.

    Counted as `docker stats` does (docker/cli, cli/command/container/stats_helpers.go).
    Raises SutraError where the engine does not count it.
    """
    with engine.request("count a container's memory"):
        answer = client.api.stats(str(box.id), stream=False, one_shot=True)
        counted = answer.get("memory_stats") or {}
        if "usage" in counted:
            details = counted.get("stats") or {}
            cache = details.get("total_inactive_file", details.get("inactive_file", 0))
            return int(counted["usage"]) - int(cache)
        reason = str(answer.get("message") or "no usage in its answer").splitlines()[0]
    raise EngineError(f"counts no memory of containers ({reason})")


def _process_memory(client: engine.Client, box: Container) -> int:
    """Return what the container's processes hold resident, as the engine's `ps` counts it.

    Raises SutraError where the engine does not list processes.
    """
    with engine.request("list a container's processes"):
        answer = client.api.top(str(box.id), ps_args="-o pid,rss")
        column = [title.upper() for title in answer["Titles"]].index("RSS")
        return sum(_resident(process[column]) for process in answer["Processes"])


def _resident(figure: str) -> int:
    """Return the bytes of a figure of `ps`: KiB, or with a unit as busybox has it ("12m")."""
    unit = PS_UNITS.get(figure[-1:].lower())
    return int(figure) * 1024 if unit is None else round(float(figure[:-1]) * unit)


def written(client: engine.Client, box: Container) -> set[str]:
    """Return the paths that differ from the image; the container may have ended."""
    with engine.request("list what a container wrote"):
        return {str(entry["Path"]) for entry in client.api.diff(str(box.id)) or []}


def deepest(paths: set[str]) -> list[str]:
    """Return the paths without the folders that hold one of them."""
    return sorted(paths - {path.rpartition("/")[0] for path in paths})
