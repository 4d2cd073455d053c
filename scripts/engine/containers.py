"""Create and remove the engine's containers and networks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from docker.errors import (
    APIError,
    ImageNotFound,
    NotFound,
)
from docker.models.containers import Container

from scripts.common.errors import EngineError
from scripts.engine import client as engine


def create(client: engine.Client, image: str, **options: Any) -> Container:
    """Create a container. Raises SutraError when its image is gone."""
    try:
        with engine.request(f'create a container of "{image}"'):
            return client.containers.create(image, **options)
    except ImageNotFound as error:
        raise EngineError(f'image no longer exists "{image}"', "run `make build`") from error


class CommandError(Exception):
    """The engine could not run a command in a container; the text is its reason."""


@contextmanager
def running() -> Iterator[None]:
    """Tell a command that cannot be run (CommandError) from an engine that cannot answer.

    A command that is not there is status 400 or, on older engines, 500 with the
    runtime's words; a container that has ended is 409, or 500 with the words of containerd
    or of its shim (init_state.go: "stopped", "deleted") where it ends just then.
    """
    with engine.request("run a container"):
        try:
            yield
        except APIError as error:
            reason = str(error.explanation or error)
            not_runnable = ("OCI runtime", "process is not running", "cannot exec in a ")
            if error.status_code in (400, 409) or any(words in reason for words in not_runnable):
                raise CommandError(reason.strip().splitlines()[0]) from error
            raise


def remove_container(client: engine.Client, name: str) -> None:
    """Remove a container and its volumes, running or not, if it is there."""
    with engine.request(f'remove the container "{name}"'), suppress(NotFound):
        client.api.remove_container(name, v=True, force=True)


def remove_network(client: engine.Client, name: str) -> None:
    """Remove a network, if it is there."""
    with engine.request(f'remove the network "{name}"'), suppress(NotFound):
        client.api.remove_network(name)
