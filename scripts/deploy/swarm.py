"""The stack on Docker Swarm: up, down, status."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scripts.common.errors import CHECK_FAILED, OK, SutraError
from scripts.deploy import stack_file, swarm_images, swarm_keys
from scripts.deploy.release import LABEL
from scripts.deploy.stack_service import NODE_LABEL, Options
from scripts.engine import client as engine
from scripts.engine import swarm
from scripts.engine.swarm import Node, Progress

WAIT_SECONDS = 300
TICK_SECONDS = 1.0
# answers in a row that say that all is done
CALM_TICKS = 4
PUBLISH = ("ingress", "host")
DEPLOY = ("--prune", "--resolve-image=never", "--with-registry-auth", "--detach=true")
ROLLED_BACK = {"rollback_started", "rollback_completed", "rollback_paused", "paused"}


@dataclass(frozen=True)
class Call:
    """What `up` is asked for: compose's own understanding of its file, and two knobs."""

    config: Mapping[str, Any]
    publish: str = PUBLISH[0]
    dry_run: bool = False

    @property
    def project(self) -> str:
        """The name of the stack."""
        return str(self.config["name"])


def up(client: engine.Client, call: Call) -> int:
    """Convert, check, deploy, and wait. Returns 1 where Swarm took the update back."""
    swarm.require_manager(client)
    require_ours(client, call.project)
    stack_file.refuse_edited()
    nodes = swarm.nodes(client)
    node = data_node(call.project, nodes)
    key = stack_file.api_key(call.config)
    refuse_open(call.config, key)
    name = swarm_keys.name_of_api_key(client, call.project, key) if key else ""
    images = swarm_images.pinned(client, call.config, len(nodes))
    stack = stack_file.make(call.config, Options(call.project, images, call.publish, name))
    for note in stack.notes:
        print(f"sutra-deploy: {note}", file=sys.stderr)
    if call.dry_run:
        print(stack.text, end="")
        return OK
    stack_file.write(stack)
    swarm.command("config", "--compose-file", str(stack_file.FILE))
    _prepare(client, call, node, key, name)
    swarm.command("deploy", "--compose-file", str(stack_file.FILE), *DEPLOY, call.project)
    code = wait(client, call.project)
    if code == OK:
        swarm_keys.remove_old(client, call.project, name)
    return code


def _prepare(client: engine.Client, call: Call, node: Node, key: str, name: str) -> None:
    """Make what the stack refers to: the label of its node, and the keys."""
    if node.labels.get(NODE_LABEL) != call.project:
        swarm.label(client, node, NODE_LABEL, call.project)
    for secret in call.config.get("secrets", {}):
        swarm_keys.make_storage_key(client, call.project, f"{call.project}-{secret}")
    if key:
        swarm_keys.make_api_key(client, call.project, name, key)


def require_ours(client: engine.Client, project: str) -> None:
    """Raise SutraError for a stack of this name that the project did not make."""
    for name, labels in swarm.services(client, project).items():
        if labels.get(LABEL) != project:
            raise SutraError(
                f'swarm: stack "{project}" has another\'s service "{name}", nothing was touched',
                "choose another name: SUTRA_PROJECT=mine",
            )


def data_node(project: str, nodes: list[Node]) -> Node:
    """Return the node that has the data. Raises SutraError if no node has them, or two have.

    A swarm of one node has no choice.
    """
    chosen = [node for node in nodes if node.labels.get(NODE_LABEL) == project]
    if len(chosen) > 1:
        names = ", ".join(sorted(node.name for node in chosen))
        raise SutraError(
            f"swarm: {len(chosen)} nodes have the label {NODE_LABEL}={project}: {names}",
            "take it from those without the data: "
            f"`docker node update --label-rm {NODE_LABEL} NAME`",
        )
    if not chosen and len(nodes) > 1:
        raise SutraError(
            f"swarm: no node has the label {NODE_LABEL}={project}: "
            "the storage's volume would come up empty wherever it starts",
            f"choose its node: `docker node update --label-add {NODE_LABEL}={project} NAME`",
        )
    return (chosen or nodes)[0]


def refuse_open(config: Mapping[str, Any], key: str) -> None:
    """Raise SutraError where loopback was asked for, Swarm publishes to all, and none has a key."""
    bound = {
        port.get("host_ip", "")
        for service in config["services"].values()
        for port in service.get("ports") or []
    }
    if not key and any(ip.startswith("127.") or ip == "::1" for ip in bound):
        raise SutraError(
            "SUTRA_API_KEY: not set, and Swarm publishes on every address of every node",
            "set it to what `openssl rand -hex 32` prints; SUTRA_BIND=0.0.0.0 says that whoever "
            "reaches a node may read and write",
        )


def wait(client: engine.Client, project: str) -> int:
    """Wait until every service runs; return 1, with reasons, when one does not.

    What is done once may not have begun: it counts when it stays so.
    """
    end, calm = time.monotonic() + WAIT_SECONDS, 0
    services: list[Progress] = []
    while calm < CALM_TICKS and time.monotonic() < end:
        time.sleep(TICK_SECONDS)
        services = swarm.progress(client, project)
        calm = calm + 1 if services and all(service.done for service in services) else 0
    back = [service for service in services if service.update in ROLLED_BACK]
    late = [service for service in services if not service.done]
    if services and not late and not back:
        print(f"sutra-deploy: up: stack {project} runs; `docker stack ps {project}` shows where")
        return OK
    _tell(project, back, late)
    return CHECK_FAILED


def _tell(project: str, back: list[Progress], late: list[Progress]) -> None:
    for service in [*back, *late]:
        for error in service.errors[:3]:
            print(f"{service.name}: {error}", file=sys.stderr)
    what = [f"{service.name} went back to what it was" for service in back]
    what += [f"{service.name} runs {service.running} of {service.replicas}" for service in late]
    what = what or [f"stack {project} has no service"]
    print(
        f"sutra-deploy: up: {', '.join(what)}\n"
        f"tip: `docker stack ps --no-trunc {project}` says more; fix it, then run it again",
        file=sys.stderr,
    )


def status(client: engine.Client, project: str) -> int:
    """Print every service. Returns 1 when one lacks replicas, or nothing is deployed."""
    swarm.require_manager(client)
    services = swarm.progress(client, project)
    for service in services:
        update = f" ({service.update})" if service.update else ""
        print(f"{service.name}: {service.running} of {service.replicas}{update}")
    late = [service.name for service in services if not service.done] or (
        [] if services else ["nothing is deployed"]
    )
    if late:
        print(
            f"sutra-deploy: status: not ready: {', '.join(late)}\n"
            f"tip: `docker stack ps --no-trunc {project}` says why",
            file=sys.stderr,
        )
    return CHECK_FAILED if late else OK


def down(client: engine.Client, call: Call, data: bool) -> int:
    """Remove the stack. The data stay on their node, and so do the keys."""
    swarm.require_manager(client)
    project = call.project
    if data:
        raise SutraError(
            "down --data: not with TARGET=swarm, the volume is another node's to remove",
            f"after `down`, on that node: `docker volume rm {project}_data`",
        )
    require_ours(client, project)
    services = swarm.services(client, project)
    if call.dry_run:
        print("".join(f"{name} would be removed\n" for name in sorted(services)), end="")
    elif services:
        print(swarm.command("rm", "--detach=false", project), end="")
    return OK
