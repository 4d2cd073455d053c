"""The context of the `docker` command: which engine it would talk to."""

from __future__ import annotations

import os
import shutil
import subprocess

from docker.context.config import get_current_context_name

from scripts.common.errors import EngineError
from scripts.common.text import printable
from scripts.engine import process

NO_CONTEXT = (
    "`docker context ls` lists them; without DOCKER_CONTEXT and after "
    "`docker context use default` it is this machine's engine"
)
DEFAULT_SOCKET = "unix:///var/run/docker.sock"
DEFAULT_CONTEXT = "default"


def endpoint() -> str:
    """Return the address of the context that the `docker` command would use.

    Raises SutraError for a context that the client does not know, or that no client can
    tell: another engine is no substitute.
    """
    program = shutil.which(os.environ.get("DOCKER") or "docker")
    if not program:
        name = os.environ.get("DOCKER_CONTEXT") or get_current_context_name()
        if name not in ("", DEFAULT_CONTEXT):
            raise _no_context(f'no docker client that knows the context "{name}"')
        return DEFAULT_SOCKET
    command = [program, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    try:
        answer = process.run(command, b"", os.environ)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _no_context(f"docker context inspect: {process.reason(error)}") from error
    lines = answer.stderr.decode(errors="replace").splitlines()
    if answer.returncode:
        problem = next(filter(None, lines), f"exit code {answer.returncode}")
        raise _no_context(f"docker context inspect: {problem}")
    host = answer.stdout.decode(errors="replace").strip()
    if not host:
        raise _no_context("docker context inspect: no address of an engine")
    return host


def _no_context(problem: str) -> EngineError:
    return EngineError(f"{printable(problem)}", NO_CONTEXT)
