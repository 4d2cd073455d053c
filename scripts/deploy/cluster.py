"""What a cluster must have before anything is sent to it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scripts.common.errors import SutraError
from scripts.deploy.kubectl import Kubectl, KubectlError, answer
from scripts.deploy.release import LABEL, Release

# oldest Kubernetes: claims that outlive their StatefulSet, and spreading by revision, are on since
LEAST = (1, 27)
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
METRICS = "metrics.k8s.io"


def require(kubectl: Kubectl, release: Release) -> None:
    """Raise SutraError for a cluster that lacks what the release uses."""
    versions = set(kubectl.run("api-versions").split())
    for item in release.objects:
        if item["apiVersion"] not in versions:
            raise SutraError(
                f'cluster: no {item["kind"]} of "{item["apiVersion"]}"',
                "take it out in an overlay of your own (OVERLAY=folder), or update the cluster",
            )
    if any(_claims_default(release)):
        _require_default_class(kubectl)


def require_version(kubectl: Kubectl) -> None:
    """Raise SutraError for a cluster that does not answer, or is too old."""
    try:
        versions = answer(kubectl.run("version", "--output=json"), "version")
    except KubectlError as error:
        raise KubectlError(
            f"no cluster answers: {error.reason}" if error.reason else error.message,
            "`kubectl config get-contexts` lists those that kubectl knows"
            if error.reason
            else error.tip,
            error.reason,
        ) from error
    server = versions.get("serverVersion", {})
    numbers = [re.match(r"\d+", str(server.get(key, ""))) for key in ("major", "minor")]
    version = tuple(int(number[0]) for number in numbers if number)
    if version < LEAST:
        shown = ".".join(map(str, version)) or "?"
        raise SutraError(
            f'cluster: too old "{shown}", {LEAST[0]}.{LEAST[1]} or newer is needed',
            "update the cluster, or choose another: `kubectl config use-context NAME`",
        )


def _claims_default(release: Release) -> Iterator[bool]:
    for item in release.objects:
        for claim in item.get("spec", {}).get("volumeClaimTemplates", []):
            yield "storageClassName" not in claim["spec"]


def _require_default_class(kubectl: Kubectl) -> None:
    """Raise SutraError where a claim would wait for ever."""
    if claims(kubectl):
        return
    for storage_class in kubectl.get("storageclass")["items"]:
        if storage_class["metadata"].get("annotations", {}).get(DEFAULT_CLASS) == "true":
            return
    raise SutraError(
        "cluster: no default storage class, the storage's claim would wait for ever",
        "name a class in an overlay of your own (OVERLAY=folder), or make one the default: "
        "`kubectl get storageclass`",
    )


def claims(kubectl: Kubectl) -> list[str]:
    """Return the names of the project's volume claims."""
    answer = kubectl.get("persistentvolumeclaim", f"--selector={LABEL}={kubectl.namespace}")
    return sorted(claim["metadata"]["name"] for claim in answer["items"])


def warnings(kubectl: Kubectl, release: Release) -> list[str]:
    """Return a line for each thing that a release uses and does without."""
    scaled = release.names("HorizontalPodAutoscaler")
    if scaled and METRICS not in kubectl.run("api-versions"):
        return [f"the cluster has no metrics API: {', '.join(scaled)} cannot scale"]
    return []
