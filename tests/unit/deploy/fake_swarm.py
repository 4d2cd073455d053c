"""A swarm in memory, as the docker SDK shows it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from scripts.engine.swarm import STACK


def _has(labels: dict[str, str], filters: dict[str, str]) -> bool:
    name, _, value = filters["label"].partition("=")
    return labels.get(name) == value


class FakeSwarm:
    """The engine of a manager: `nodes` and `services` are as the API lists them."""

    def __init__(self, *nodes: tuple[str, dict[str, str]]) -> None:
        self.state, self.manager = "active", True
        self.machines = {name: dict(labels) for name, labels in nodes or [("one", {})]}
        self.kept: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.local: dict[str, str] = {}
        self.stacks: list[dict[str, Any]] = []
        self.work: dict[str, list[dict[str, Any]]] = {}
        self.api = SimpleNamespace(
            create_secret=self._create_secret,
            remove_secret=lambda name: self.kept.pop(name),
            tasks=lambda filters: self.work.get(filters["service"], []),
        )
        self.nodes = SimpleNamespace(list=self._nodes, get=self._node)
        self.secrets = SimpleNamespace(list=self._secrets)
        self.services = SimpleNamespace(list=self._services)
        self.images = SimpleNamespace(get=self._image)

    def info(self) -> dict[str, Any]:
        return {"Swarm": {"LocalNodeState": self.state, "ControlAvailable": self.manager}}

    def _create_secret(self, name: str, content: bytes, labels: dict[str, str]) -> None:
        assert name not in self.kept
        self.kept[name] = (content, labels)

    def _secrets(self, filters: dict[str, str]) -> list[Any]:
        return [
            SimpleNamespace(attrs={"Spec": {"Name": name, "Labels": labels}})
            for name, (_, labels) in self.kept.items()
            if _has(labels, filters)
        ]

    def _node(self, name: str) -> Any:
        spec = {"Labels": self.machines[name], "Role": "manager", "Availability": "active"}

        def update(changed: dict[str, Any]) -> None:
            assert {**changed, "Labels": 0} == {**spec, "Labels": 0}
            self.machines[name] = changed["Labels"]

        attrs = {"Description": {"Hostname": name}, "Spec": spec}
        return SimpleNamespace(id=name, attrs=attrs, update=update)

    def _nodes(self) -> list[Any]:
        return [self._node(name) for name in self.machines]

    def _services(self, filters: dict[str, str]) -> list[Any]:
        return [
            SimpleNamespace(id=s["Spec"]["Name"], name=s["Spec"]["Name"], attrs=s)
            for s in self.stacks
            if _has(s["Spec"]["Labels"], filters)
        ]

    def _image(self, reference: str) -> Any:
        from docker.errors import ImageNotFound

        if reference not in self.local:
            raise ImageNotFound(reference)
        return SimpleNamespace(attrs={"Id": self.local[reference]})

    def serve(
        self,
        name: str,
        *tasks: tuple[str, str],
        project: str = "mine",
        update: str = "",
        replicas: int = 1,
        image: str = "new",
    ) -> None:
        """Add a service, with tasks of ("running", image) or ("failed", reason)."""
        labels = {STACK: "mine", "org.sutra.project": project}
        spec = {
            "Name": name,
            "Labels": labels,
            "Mode": {"Replicated": {"Replicas": replicas}},
            "TaskTemplate": {"ContainerSpec": {"Image": image}},
        }
        service: dict[str, Any] = {"Spec": spec}
        if update:
            service["UpdateStatus"] = {"State": update}
        self.stacks = [s for s in self.stacks if s["Spec"]["Name"] != name] + [service]
        self.work[name] = [_task(state, word) for state, word in tasks]


def _task(state: str, word: str) -> dict[str, Any]:
    runs = state == "running"
    return {
        "DesiredState": "running" if state in ("running", "pending") else "shutdown",
        "Status": {"State": state, "Err": "" if runs else word},
        "Spec": {"ContainerSpec": {"Image": word if runs else "new"}},
    }
