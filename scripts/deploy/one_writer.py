"""The storage's data on Kubernetes: on a claim, and with one writer.

An overlay of one's own can change both. A pod without the claim comes up empty wherever it starts
next; a second replica has a claim of its own, so that each caller gets half of the answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scripts.common.errors import SutraError

# folder of the storage's log in every image of it
DATA = "/var/lib/sutra"
AUTOSCALER = "HorizontalPodAutoscaler"


def require(objects: Iterable[Mapping[str, Any]], folder: Path) -> None:
    """Raise SutraError for a workload that would lose the data, or split them."""
    objects = list(objects)
    scaled = {_target(item) for item in objects if item["kind"] == AUTOSCALER}
    for item in objects:
        spec = _mapping(item, "spec")
        pod = _mapping(_mapping(spec, "template"), "spec")
        mounted = _mounted(pod)
        if not mounted:
            continue
        name = item["metadata"]["name"]
        if mounted - _claimed(spec, pod):
            raise SutraError(
                f"{folder}: {name}: {DATA} is on no claim, the data would be gone with the pod",
                "leave volumeClaimTemplates in; a patch of it may name a storageClassName",
            )
        if spec.get("replicas", 1) not in (0, 1) or (item["kind"], name) in scaled:
            raise SutraError(
                f"{folder}: {name}: more than one replica, and each would have data of its own",
                "take `replicas` and autoscalers of it out; docs/scaling.md says where to go then",
            )


def _mapping(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a mapping below a key; an empty one for anything else, which the cluster refuses."""
    below = value.get(key)
    return below if isinstance(below, Mapping) else {}


def _listed(value: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the mappings of a list below a key."""
    below = value.get(key)
    return (
        [entry for entry in below if isinstance(entry, Mapping)] if isinstance(below, list) else []
    )


def _mounted(pod: Mapping[str, Any]) -> set[str]:
    """Return the names of the volumes that a pod has where the data are."""
    return {
        str(mount.get("name"))
        for container in _listed(pod, "containers")
        for mount in _listed(container, "volumeMounts")
        if str(mount.get("mountPath", "")).rstrip("/") == DATA
    }


def _claimed(spec: Mapping[str, Any], pod: Mapping[str, Any]) -> set[str]:
    """Return the names of the volumes that are claims."""
    templates = _listed(spec, "volumeClaimTemplates")
    claims = {str(_mapping(template, "metadata").get("name")) for template in templates}
    volumes = _listed(pod, "volumes")
    return claims | {
        str(volume.get("name")) for volume in volumes if "persistentVolumeClaim" in volume
    }


def _target(scaler: Mapping[str, Any]) -> tuple[str, str]:
    target = _mapping(_mapping(scaler, "spec"), "scaleTargetRef")
    return str(target.get("kind")), str(target.get("name"))
