"""Which workloads of a cluster are not ready, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scripts.common.text import printable
from scripts.deploy.kubectl import Kubectl
from scripts.deploy.release import LABEL

# conditions whose being true, or false, holds a workload or a pod back
BAD = {("ReplicaFailure", "True"), ("PodScheduled", "False")}
# a problem and its tip
LINES = 2


def _ours(kubectl: Kubectl, kinds: str) -> list[Mapping[str, Any]]:
    items = kubectl.get(kinds, f"--selector={LABEL}={kubectl.namespace}")["items"]
    return sorted(items, key=lambda item: str(item["metadata"]["name"]))


def not_ready(kubectl: Kubectl) -> list[str]:
    """Return the workloads that have fewer ready replicas than they want; "nothing" without any."""
    workloads = _ours(kubectl, "deployment,statefulset")
    late = [
        workload["metadata"]["name"]
        for workload in workloads
        if workload.get("status", {}).get("readyReplicas", 0) < workload["spec"].get("replicas", 1)
    ]
    return late if workloads else ["nothing is deployed"]


def reasons(kubectl: Kubectl) -> list[str]:
    """Return a line for each thing that holds a pod back: its image, its place, its crash."""
    return [
        f"{item['metadata']['name']}: {printable(reason)}"
        for item in _ours(kubectl, "deployment,statefulset,pod")
        for reason in _reasons(item.get("status", {}))
    ]


def _reasons(status: Mapping[str, Any]) -> Iterator[str]:
    for condition in status.get("conditions") or []:
        if (condition.get("type"), condition.get("status")) in BAD:
            yield f"{condition.get('reason', '')}: {condition.get('message', '')}"
    for container in status.get("containerStatuses") or []:
        if last := _last_words(container):
            yield last
        elif waiting := container.get("state", {}).get("waiting"):
            yield f"{waiting.get('reason', '')}: {waiting.get('message', '')}".removesuffix(": ")
        elif not container.get("ready"):
            yield f"runs and is not ready, restarted {container.get('restartCount', 0)} times"


def _last_words(container: Mapping[str, Any]) -> str:
    """Return how a container that does not run ended, "" where it said nothing.

    A crash's own lines say more than how long the kubelet waits before it tries again.
    """
    for state in (container.get("state", {}), container.get("lastState", {})):
        if "running" in state:
            return ""
        ended = state.get("terminated", {})
        lines = [line for line in ended.get("message", "").splitlines() if line.strip()]
        if lines:
            return f"ended with exit code {ended.get('exitCode')}: {' | '.join(lines[-LINES:])}"
    return ""
