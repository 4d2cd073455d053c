"""The engine as a manager of a swarm: its nodes, secrets, services and their tasks."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from scripts.common.errors import EngineError
from scripts.common.text import printable
from scripts.engine import client as engine

STACK = "com.docker.stack.namespace"
# time limit for `docker stack deploy`, which needs no registry: images have digests
DEPLOY_SECONDS = 120
# states of a task that will do nothing any more
ENDED = {"complete", "failed", "orphaned", "rejected", "remove", "shutdown"}


@dataclass(frozen=True)
class Node:
    """A machine of the swarm."""

    id: str
    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Progress:
    """How far a service is: replicas that run its newest version, and what its update does.

    `errors` are the last words of tasks that failed.
    """

    name: str
    running: int
    replicas: int
    update: str
    errors: tuple[str, ...]

    @property
    def done(self) -> bool:
        """Return whether all replicas run, and no update is under way."""
        return self.running >= self.replicas and self.update not in ("updating", "rollback_started")


def require_manager(client: engine.Client) -> None:
    """Raise EngineError unless the engine manages a swarm."""
    with engine.request("describe its swarm"):
        state = client.info().get("Swarm") or {}
        active, manager = state.get("LocalNodeState"), state.get("ControlAvailable")
    if active != "active":
        raise EngineError(
            f'in no swarm "{active}"',
            "`docker swarm init --advertise-addr ADDRESS` makes one, of this engine alone at first",
        )
    if not manager:
        raise EngineError(
            "a worker of its swarm, not a manager", "name a manager: DOCKER_HOST=ssh://host"
        )


def nodes(client: engine.Client) -> list[Node]:
    """Return the machines of the swarm, those that are down too: one may have the data."""
    with engine.request("list the nodes of its swarm"):
        return [
            Node(
                str(node.id),
                str(node.attrs["Description"]["Hostname"]),
                dict(node.attrs["Spec"].get("Labels") or {}),
            )
            for node in client.nodes.list()
        ]


def label(client: engine.Client, node: Node, name: str, value: str) -> None:
    """Add a label to a node."""
    with engine.request(f'label the node "{node.name}"'):
        member = client.nodes.get(node.id)
        spec = member.attrs["Spec"]
        member.update({**spec, "Labels": {**(spec.get("Labels") or {}), name: value}})


def secrets(client: engine.Client, project: str, label: str) -> dict[str, Mapping[str, str]]:
    """Return the labels of each of a project's secrets, by name."""
    with engine.request("list its secrets"):
        ours = client.secrets.list(filters={"label": f"{label}={project}"})
        return {
            str(secret.attrs["Spec"]["Name"]): secret.attrs["Spec"]["Labels"] for secret in ours
        }


def create_secret(
    client: engine.Client, name: str, content: bytes, labels: Mapping[str, str]
) -> None:
    """Store a secret."""
    with engine.request(f'store the secret "{name}"'):
        client.api.create_secret(name, content, dict(labels))


def remove_secret(client: engine.Client, name: str) -> None:
    """Remove a secret that no service has."""
    with engine.request(f'remove the secret "{name}"'):
        client.api.remove_secret(name)


def services(client: engine.Client, stack: str) -> dict[str, Mapping[str, str]]:
    """Return the labels of each service of a stack, by name."""
    with engine.request("list its services"):
        ours = client.services.list(filters={"label": f"{STACK}={stack}"})
        return {str(service.name): service.attrs["Spec"].get("Labels") or {} for service in ours}


def progress(client: engine.Client, stack: str) -> list[Progress]:
    """Return how far each service of a stack is, by name."""
    with engine.request("list its services"):
        ours = client.services.list(filters={"label": f"{STACK}={stack}"})
        return sorted(
            (_progress(service.attrs, _tasks(client, str(service.id))) for service in ours),
            key=attrgetter("name"),
        )


def _tasks(client: engine.Client, service: str) -> list[dict[str, Any]]:
    # types-docker gives `tasks` no types
    tasks: list[dict[str, Any]] = client.api.tasks(  # type: ignore[no-untyped-call]
        filters={"service": service}
    )
    return tasks


def _progress(service: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]]) -> Progress:
    replicas = service["Spec"]["Mode"].get("Replicated", {}).get("Replicas", 1)
    image = service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
    running = [
        task
        for task in tasks
        if task["Status"]["State"] == "running"
        and task["DesiredState"] == "running"
        and task["Spec"]["ContainerSpec"]["Image"] == image
    ]
    errors = [_words(task["Status"]) for task in tasks if _stuck(task)]
    return Progress(
        str(service["Spec"]["Name"]),
        len(running),
        int(replicas),
        str(service.get("UpdateStatus", {}).get("State", "")),
        tuple(dict.fromkeys(filter(None, errors))),
    )


def _stuck(task: Mapping[str, Any]) -> bool:
    """Return whether a task failed, or waits for a node that takes it."""
    state = task["Status"]["State"]
    return state in ("failed", "rejected") or (
        state == "pending" and task["DesiredState"] not in ENDED
    )


def _words(status: Mapping[str, Any]) -> str:
    return printable(str(status.get("Err") or status.get("Message") or ""))


def command(*words: str) -> str:
    """Return what `docker stack …` prints. Raises EngineError with its last line."""
    program = os.environ.get("DOCKER") or "docker"
    try:
        done = subprocess.run(
            [program, "stack", *words],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=DEPLOY_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"docker stack {words[0]}: {error}", engine.TIP) from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise EngineError(f"docker stack {words[0]}: {reason}", "`docker info` says more")
    return done.stdout
