"""A shell with tools beside a container that has none, in which nothing can be changed.

The tools are our toolchain's. Its container shares the processes and the network of the target,
whose files it has under /target, read-only (scripts/engine/target_view.py). What the shell may do
there is to look: it has no capability left to trace, mount, or write to what is not its own.
"""

from __future__ import annotations

import io
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docker.errors import NotFound

from scripts.common.errors import EngineError, SutraError
from scripts.engine import buildx, containers, images, sandbox
from scripts.engine import client as engine
from scripts.engine.sandbox import Setup
from scripts.engine.target_view import TARGET

if TYPE_CHECKING:
    from docker.models.containers import Container

VIEW = Path(__file__).with_name("target_view.py")
SHELL = ("bash", "-l")
# to mount the files, enter their namespace and become another user: given up before the shell
# begins. What is left reads every file
SETUP = ("SETGID", "SETPCAP", "SETUID", "SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE")
LEFT = ("DAC_READ_SEARCH",)
# the engine's words for a container with processes; those of a paused one are seen, and wait
RUNS = ("running", "paused")
# beginning of the time at which a container was started that never was
NEVER = "0001-"
# program that runs the script, and the engine's exit code where an image has none of that name
PYTHON, NO_PROGRAM = "python3", 127
# a service that ends at once has ended by then
SETTLE_SECONDS = 1.0


@dataclass(frozen=True)
class Target:
    """The target of debugging: a running container, or one of which only the files are there.

    `first` is its first process as the tools see it: 1, but for one that shares those of others.
    """

    name: str
    identity: str
    first: str = "1"
    runs: bool = True
    why: str = ""  # it does not run


def running(client: engine.Client, name: str) -> Target:
    """Return the running container called `name`. Raises SutraError."""
    try:
        with engine.request("inspect a container"):
            container = client.api.inspect_container(name)
            state, identity = container["State"], str(container["Id"])
            shares = bool(container["HostConfig"].get("PidMode"))
            status = str(state.get("Status") or ("running" if state["Running"] else "exited"))
    except EngineError as error:
        if isinstance(error.__cause__, NotFound):
            raise SutraError(
                f'debug: no such container "{name}"', "`docker ps` lists those that run"
            ) from error
        raise
    if status not in RUNS:
        raise _does_not_run(name, status, int(state.get("ExitCode") or 0))
    return Target(name, identity, identity if shares else "1")


def _does_not_run(name: str, status: str, code: int) -> SutraError:
    """Return why a container cannot be joined; `status` is the engine's word."""
    word = shlex.quote(name)
    if status == "created":
        return SutraError(
            f'debug: not started yet "{name}"', f"`docker start {word}`, or IMAGE=… for another one"
        )
    if status == "restarting":
        return SutraError(
            f'debug: restarting "{name}", it ended with {code}',
            f"`docker logs {word}` says why; IMAGE=… shows the files of its image",
        )
    return SutraError(
        f'debug: not running "{name}", it ended with {code}',
        f"`docker start {word}`, or IMAGE=… for a new one of its image",
    )


@contextmanager
def started(client: engine.Client, reference: str, setup: Setup) -> Iterator[Target]:
    """Start an image hardened, as it is checked, and yield it; it is removed afterwards.

    One that does not run, as it has no command or ends at once, has files only.
    """
    with sandbox.container(client, setup) as container:
        yield _settled(reference, container)


def setup_of(image: Any, base: Setup) -> Setup:
    """Return how an image is started; one without a command is only made."""
    config = image.get("Config") or {}
    has_command = config.get("Cmd") or config.get("Entrypoint")
    return base if has_command else replace(base, command=("/no-command-in-the-image",))


def _settled(reference: str, container: Container) -> Target:
    identity = str(container.id)
    try:
        sandbox.start(container)
    except containers.CommandError as error:
        return Target(reference, identity, runs=False, why=f"cannot be started ({error})")
    code = sandbox.ended(container, SETTLE_SECONDS)
    if code is None:
        return Target(reference, identity)
    words = sandbox.one_line(sandbox.output(container, sandbox.LAST_LINES))
    last_words = f', last words "{words}"' if words else ""
    return Target(reference, identity, runs=False, why=f"it ended with {code}{last_words}")


def shell(client: engine.Client, target: Target, tools: str, command: Sequence[str] = SHELL) -> int:
    """Run `command` beside the target, on this terminal where there is one; return its exit code.

    Raises SutraError where the tools are not there.
    """
    if images.inspect(client, tools) is None:
        raise SutraError(
            f'debug: no image of tools "{tools}"', "`make dev` builds ours; TOOLS=… names another"
        )
    docker = buildx.find_client()
    words = ["-c", VIEW.read_text(), target.first if target.runs else "0", *command]
    done = subprocess.run(
        [docker, "create", *_options(target), tools, *words], capture_output=True, text=True
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise EngineError(
            f"cannot create a container of tools: {lines[-1]}", "`docker info` says more"
        )
    identity = done.stdout.strip()
    try:
        if not target.runs:
            _copy(client, target.identity, identity)
        code = subprocess.run([docker, "start", "--attach", "--interactive", identity]).returncode
        if code:
            _refuse_not_started(client, identity, target, tools)
        return code
    finally:
        containers.remove_container(client, identity)


def _refuse_not_started(client: engine.Client, identity: str, target: Target, tools: str) -> None:
    """Raise SutraError for tools that were never started; the client has printed why."""
    with engine.request("inspect a container"):
        state = client.api.inspect_container(identity)["State"]
    if not str(state["StartedAt"]).startswith(NEVER):
        return
    if state["ExitCode"] == NO_PROGRAM:
        raise SutraError(
            f'debug: no {PYTHON} in the image of tools "{tools}"',
            "`make dev` builds one that has it",
        )
    raise SutraError(
        f'debug: cannot join "{target.name}", which ran just now',
        "`docker ps -a` says what became of it",
    )


def _options(target: Target) -> list[str]:
    """Return how the container of tools is made."""
    options = ["--interactive", "--user", "0", "--entrypoint", PYTHON]
    options += ["--label", f"{sandbox.LABEL}={sandbox.RUN}"]
    options += ["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    options += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    capabilities = (*SETUP, *LEFT) if target.runs else LEFT
    options += [f"--cap-add={capability}" for capability in capabilities]
    if not target.runs:
        return [*options, "--hostname", "debug", "--network", "none"]
    # the target's host name comes with its network
    options += [f"--pid=container:{target.identity}", f"--network=container:{target.identity}"]
    # AppArmor's profile for containers takes mounting away, whatever the capabilities are
    return [*options, "--security-opt", "apparmor=unconfined", "--security-opt", "label=disable"]


def _copy(client: engine.Client, source: str, place: str) -> None:
    """Copy all files of a container that does not run into another's TARGET."""
    folder = io.BytesIO()
    with tarfile.open(fileobj=folder, mode="w") as archive:
        entry = tarfile.TarInfo(TARGET.strip("/"))
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(entry)
    with engine.request("copy the files of a container"):
        client.api.put_archive(place, "/", folder.getvalue())
        client.api.put_archive(place, TARGET, client.api.export(source))
