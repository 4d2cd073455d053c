"""One service of docker-compose.yml as Swarm takes it: each key kept, moved, or named as lost.

`docker stack deploy` drops what it does not know without a word. Here a key that is in no
table is an error, and what Swarm cannot hold is a line for the person who deploys.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from scripts.common.errors import SutraError

COMPOSE = "docker-compose.yml"
API_KEY = "SUTRA_API_KEY"
# the label of the node that has the data: its value is the project's name
NODE_LABEL = "org.sutra.data"
KEPT = (
    "cap_add", "cap_drop", "command", "entrypoint", "init", "logging", "read_only",
    "stop_grace_period", "stop_signal", "ulimits", "user", "working_dir",
)  # fmt: skip # a list of words
RESTART = {"no": "none", "always": "any", "unless-stopped": "any", "on-failure": "on-failure"}
# options of every tmpfs of a service, whatever the file says: moby, daemon/oci_linux.go
TMPFS_FLAGS = {"noexec", "nosuid", "nodev"}
# the only one: docker stack drops another without a word
TMPFS_MODE = 0o1777
UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
SWAP = (
    "memswap_limit: Swarm lets a container swap as much again as its memory: "
    "`swapoff -a` on every node"
)
NO_NEW_PRIVILEGES = (
    'security_opt: Swarm passes no "no-new-privileges" on: set it in every node\'s '
    "/etc/docker/daemon.json; no image holds a file that would give any"
)
SECCOMP = (
    "security_opt: Swarm passes no seccomp profile on: services have the engine's own, unless "
    '"seccomp-profile" in every node\'s /etc/docker/daemon.json names another'
)
ANY_ORDER = (
    "depends_on: Swarm starts services in any order: until the storage answers, others are 503"
)
LIVE = "healthcheck: Swarm ends what is not healthy, so it asks /live: readiness is not waited for"
EVERYWHERE = (
    "ports: Swarm publishes on every address of every node, not on {ip} alone: "
    "callers need SUTRA_API_KEY"
)


@dataclass(frozen=True)
class Options:
    """What the compose file does not say: images by digest, how ports are published, a key.

    `publish` is "ingress" (any node answers) or "host" (a node answers for its own replica).
    `api_key` is the name of the secret with the callers' key, "" without one.
    """

    project: str
    images: Mapping[str, str]
    publish: str = "ingress"
    api_key: str = ""


@dataclass
class Service:
    """A service on its way: what Swarm gets, and the lines about what it cannot hold."""

    name: str
    source: Mapping[str, Any]
    options: Options
    stack: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def error(self, key: str, problem: str, value: object = None) -> SutraError:
        """Return the error for a value that cannot be carried over."""
        shown = "" if value is None else f' "{value}"'
        return SutraError(
            f"{COMPOSE}: services.{self.name}.{key}: {problem}{shown}",
            "change it there or in docker-compose.override.yml; scripts/deploy/stack_service.py "
            "has what Swarm takes",
        )

    def only(self, key: str, value: Mapping[str, Any], allowed: Collection[str]) -> None:
        """Raise SutraError for a key below `key` that is not known."""
        for name_below in value:
            if name_below not in allowed:
                raise self.error(f"{key}.{name_below}", "no counterpart in Swarm is known")

    @property
    def deploy(self) -> dict[str, Any]:
        """The part that only Swarm reads."""
        deploy_part: dict[str, Any] = self.stack.setdefault("deploy", {})
        return deploy_part

    @property
    def limits(self) -> dict[str, Any]:
        """The limits of each replica."""
        limits: dict[str, Any] = self.deploy.setdefault("resources", {}).setdefault("limits", {})
        return limits

    def mount(self, **volume: Any) -> None:
        """Add a mount."""
        self.stack.setdefault("volumes", []).append(volume)


def convert(name: str, source: Mapping[str, Any], options: Options) -> Service:
    """Return a service as Swarm takes it. Raises SutraError for what would be lost silently."""
    service = Service(name, source, options)
    if not source.get("image"):
        raise service.error("image", "missing, and Swarm builds none")
    for key, value in source.items():
        if value is None:  # compose writes "command: null" if there is no command
            continue
        if key in KEPT:
            service.stack[key] = value
        elif key in MOVED:
            MOVED[key](service, value)
        else:
            raise service.error(key, "no counterpart in Swarm is known")
    _update(service)
    return service


def _update(service: Service) -> None:
    """Say how a new version comes, and that a bad one goes back by itself."""
    pinned = bool(service.deploy.get("placement"))
    order = "stop-first" if pinned else "start-first"  # two storages on one folder: never
    change = {"parallelism": 1, "order": order, "monitor": "15s"}
    service.deploy["update_config"] = {**change, "failure_action": "rollback"}
    service.deploy["rollback_config"] = change
    if service.options.publish == "host" and not pinned:
        # a port of the node is free only when the replica before has ended
        service.deploy["update_config"]["order"] = "stop-first"
        service.deploy["rollback_config"]["order"] = "stop-first"
    if service.options.publish == "host":
        service.deploy["endpoint_mode"] = "dnsrr"


def _image(service: Service, value: str) -> None:
    service.stack["image"] = service.options.images[value]


def _labels(service: Service, value: Mapping[str, str]) -> None:
    service.stack["labels"] = dict(value)
    service.deploy["labels"] = dict(value)


def _environment(service: Service, value: Mapping[str, str | None]) -> None:
    kept = {name: text for name, text in value.items() if text is not None}
    if service.options.api_key and API_KEY in value:
        kept.pop(API_KEY, None)
        kept[f"{API_KEY}_FILE"] = "/run/secrets/api-key"
        _secret(service, "api-key", "api-key")
    service.stack["environment"] = kept


def _secrets(service: Service, value: list[Mapping[str, Any]]) -> None:
    for secret in value:
        service.only("secrets", secret, ("source", "target"))
        target = str(secret.get("target") or secret["source"]).removeprefix("/run/secrets/")
        _secret(service, secret["source"], target)


def _secret(service: Service, source: str, target: str) -> None:
    """Mount a secret for the service's own user alone."""
    uid, _, gid = str(service.source.get("user", "0:0")).partition(":")
    secret = {"source": source, "target": target, "uid": uid, "gid": gid or uid, "mode": 0o400}
    service.stack.setdefault("secrets", []).append(secret)


def _memory(service: Service, value: str) -> None:
    service.limits["memory"] = str(value)


def _swap(service: Service, value: str) -> None:
    if str(value) != str(service.source.get("mem_limit")):
        raise service.error("memswap_limit", "not mem_limit, and Swarm knows no other", value)
    service.notes.append(SWAP)


def _pids(service: Service, value: int) -> None:
    service.limits["pids"] = int(value)


def _ports(service: Service, value: list[Mapping[str, Any]]) -> None:
    for port_entry in value:
        service.only("ports", port_entry, ("mode", "host_ip", "target", "published", "protocol"))
        published = str(port_entry.get("published", ""))
        if not published.isdigit():
            raise service.error("ports.published", "not one port", published)
        if ip := port_entry.get("host_ip"):
            service.notes.append(EVERYWHERE.format(ip=ip))
        port = {"target": port_entry["target"], "published": int(published)}
        port |= {"protocol": port_entry.get("protocol", "tcp"), "mode": service.options.publish}
        service.stack.setdefault("ports", []).append(port)


def _tmpfs(service: Service, value: list[str]) -> None:
    for mount in value:
        path, _, words = mount.partition(":")
        options = dict(word.partition("=")[::2] for word in words.split(",") if word)
        for name in options:
            if name not in {"size", "mode", *TMPFS_FLAGS}:
                raise service.error("tmpfs", "Swarm cannot mount it so", name)
        number = re.fullmatch(r"(\d+)([bkmg]?)", options.get("size", ""))
        mode = options.get("mode", "1777")
        if not number or not re.fullmatch(r"[0-7]{3,4}", mode):
            raise service.error("tmpfs", "no size, or no mode, that can be read", mount)
        if int(mode, 8) != TMPFS_MODE:
            raise service.error("tmpfs", "Swarm mounts with mode 1777, not", mode)
        size = int(number[1]) * UNITS[number[2]]
        service.mount(type="tmpfs", target=path, tmpfs={"size": size})


def _volumes(service: Service, value: list[Mapping[str, Any]]) -> None:
    for volume in value:
        service.only("volumes", volume, ("type", "source", "target", "read_only", "volume"))
        if volume["type"] != "volume" or not volume.get("source") or volume.get("volume"):
            raise service.error(
                "volumes",
                "only a named volume can be pinned to its node",
                volume.get("source", volume["target"]),
            )
        read_only = {"read_only": True} if volume.get("read_only") else {}
        service.mount(type="volume", source=volume["source"], target=volume["target"], **read_only)
        # anywhere else it would come up empty
        constraint = f"node.labels.{NODE_LABEL} == {service.options.project}"
        service.deploy["placement"] = {"constraints": [constraint]}


def _security_opt(service: Service, value: list[str]) -> None:
    for option in value:
        if option in ("no-new-privileges:true", "no-new-privileges"):
            service.notes.append(NO_NEW_PRIVILEGES)
        elif re.fullmatch(r"seccomp[=:].*\.json", option):
            service.notes.append(SECCOMP)
        else:
            raise service.error("security_opt", "Swarm would drop it", option)


def _restart(service: Service, value: str) -> None:
    policy, _, attempts = str(value).partition(":")
    if policy not in RESTART or not (attempts or "1").isdigit():
        raise service.error("restart", "unknown", value)
    policy_of_swarm: dict[str, Any] = {"condition": RESTART[policy]}
    if attempts:
        policy_of_swarm["max_attempts"] = int(attempts)
    service.deploy["restart_policy"] = policy_of_swarm


def _healthcheck(service: Service, value: Mapping[str, Any]) -> None:
    allowed = (
        "test",
        "interval",
        "timeout",
        "retries",
        "start_period",
        "start_interval",
        "disable",
    )
    service.only("healthcheck", value, allowed)
    test = value.get("test")
    if isinstance(test, list) and test[-1] == "/health":
        service.notes.append(LIVE)
        value = {**value, "test": [*test[:-1], "/live"]}
    service.stack["healthcheck"] = dict(value)


def _networks(service: Service, value: Mapping[str, Any]) -> None:
    for name, settings in value.items():
        service.only(f"networks.{name}", settings or {}, ("aliases",))
    service.stack["networks"] = dict(value)


def _depends_on(service: Service, value: object) -> None:
    service.notes.append(ANY_ORDER)


def _pull_policy(service: Service, value: str) -> None:
    """Say nothing: an image by its digest is the one that was verified, wherever it is from."""


def _deploy(service: Service, value: Mapping[str, Any]) -> None:
    service.only("deploy", value, ("replicas",))
    replicas = value.get("replicas", 1)
    if replicas != 1 and service.source.get("volumes"):
        raise service.error("deploy.replicas", "a volume has one writer, not", replicas)
    service.deploy["replicas"] = replicas


MOVED: Mapping[str, Callable[[Service, Any], None]] = {
    "depends_on": _depends_on,
    "deploy": _deploy,
    "environment": _environment,
    "healthcheck": _healthcheck,
    "image": _image,
    "labels": _labels,
    "mem_limit": _memory,
    "memswap_limit": _swap,
    "networks": _networks,
    "pids_limit": _pids,
    "ports": _ports,
    "pull_policy": _pull_policy,
    "restart": _restart,
    "secrets": _secrets,
    "security_opt": _security_opt,
    "tmpfs": _tmpfs,
    "volumes": _volumes,
}
