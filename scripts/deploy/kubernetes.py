"""The stack on Kubernetes: up and status. The cluster checks all of it before anything changes."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from scripts.common.errors import CHECK_FAILED, OK, SutraError
from scripts.deploy import cluster, cluster_keys
from scripts.deploy.kubectl import Kubectl, KubectlError
from scripts.deploy.readiness import not_ready, reasons
from scripts.deploy.release import LABEL, WORKLOADS, Release, make

# seconds that all workloads may take together, and the least that is left to each
WAIT_SECONDS, LEAST_SECONDS = 300, 1
# everything that a release may hold and `down` removes: no claim, no secret, no namespace
KINDS = "deployment,statefulset,service,networkpolicy,horizontalpodautoscaler,poddisruptionbudget"
OPEN = "SUTRA_API_KEY is not set: any pod that the network policies let in may read and write"
APPLY = ("apply", "--validate=strict", "--filename=-")


def up(kubectl: Kubectl, folder: Path, key: str, dry_run: bool = False) -> int:
    """Check, apply, and wait until all is ready. Returns 1 where something is not in time.

    A cluster that has callers' keys keeps asking for them, whoever deploys without one.
    """
    cluster.require_version(kubectl)
    with_key = bool(key) or bool(kubectl.find("secret", cluster_keys.API))
    release = make(folder, kubectl.namespace, with_key)
    cluster.require(kubectl, release)
    warnings = cluster.warnings(kubectl, release)
    if not with_key:
        warnings.append(OPEN)
    for line in warnings:
        print(f"sutra-deploy: warning: {line}", file=sys.stderr)
    is_new = _make_namespace(kubectl, release, dry_run)
    try:
        print(_checked(kubectl, release, is_new and dry_run), end="")
    except KubectlError:
        if is_new and not dry_run:  # it held nothing: what was there is there again
            kubectl.run("delete", "namespace", kubectl.namespace, "--wait=false")
        raise
    if dry_run:
        return OK
    cluster_keys.make_storage_key(kubectl)
    old = bool(key) and cluster_keys.set_api_key(kubectl, key)
    kubectl.run(*APPLY, input_text=release.text)
    _remove_leftovers(kubectl, release)
    if old:
        kubectl.run("rollout", "restart", *release.names("Deployment"))
    return _wait(kubectl, release)


def _make_namespace(kubectl: Kubectl, release: Release, dry_run: bool) -> bool:
    """Return whether the namespace was not there; make it. Raises SutraError for another's."""
    namespace = kubectl.find("namespace", kubectl.namespace)
    if namespace:
        require_ours(kubectl, namespace)
        return False
    for item in release.objects:
        if item["kind"] == "Namespace" and not dry_run:
            kubectl.create(dict(item))
    return True


def require_ours(kubectl: Kubectl, namespace: Mapping[str, Any]) -> None:
    """Raise SutraError for a namespace that this project did not make."""
    if namespace["metadata"].get("labels", {}).get(LABEL) != kubectl.namespace:
        raise SutraError(
            f'cluster: namespace "{kubectl.namespace}" is not of this project, nothing was touched',
            "choose another name: SUTRA_PROJECT=mine; or say that it is: `kubectl label namespace "
            f"{kubectl.namespace} {LABEL}={kubectl.namespace}`",
        )


def _checked(kubectl: Kubectl, release: Release, missing: bool) -> str:
    """Return what would be created or changed, as the cluster itself judges it.

    In a namespace that is not there the cluster judges nothing; kubectl does then.
    """
    how = "client" if missing else "server"
    if missing:
        print(
            f'sutra-deploy: namespace "{kubectl.namespace}" is not there yet: checked by kubectl '
            "alone",
            file=sys.stderr,
        )
    return kubectl.run(*APPLY, f"--dry-run={how}", input_text=release.text)


def _remove_leftovers(kubectl: Kubectl, release: Release) -> None:
    """Delete what an earlier overlay had and this one has not."""
    listed = kubectl.run("get", KINDS, f"--selector={LABEL}={kubectl.namespace}", "--output=name")
    names = release.names(*{str(item["kind"]) for item in release.objects})
    # "deployment.apps/sutra-api" → "deployment/sutra-api"
    gone = [name for name in listed.split() if re.sub(r"\.[^/]*(?=/)", "", name) not in names]
    if gone:
        kubectl.run("delete", *gone)
        print("".join(f"{name} removed\n" for name in gone), end="")


def _wait(kubectl: Kubectl, release: Release) -> int:
    """Wait for every workload; return 1, with reasons on stderr, when one is not ready in time."""
    late, end = [], monotonic() + WAIT_SECONDS
    for name in release.names(*WORKLOADS):
        seconds = max(LEAST_SECONDS, math.ceil(end - monotonic()))
        try:
            kubectl.run("rollout", "status", name, f"--timeout={seconds}s", seconds=seconds + 60)
        except KubectlError:
            late.append(name)
    if not late:
        print(
            f"sutra-deploy: up: {kubectl.namespace} is ready; `kubectl --namespace "
            f"{kubectl.namespace} port-forward service/sutra-api 8000` reaches the API"
        )
        return OK
    for line in reasons(kubectl):
        print(line, file=sys.stderr)
    print(
        f"sutra-deploy: up: not ready: {', '.join(late)}\n"
        "tip: fix what the lines above say, then run it again; replicas that were ready before "
        f"serve on, and `kubectl --namespace {kubectl.namespace} rollout undo NAME` takes it back",
        file=sys.stderr,
    )
    return CHECK_FAILED


def status(kubectl: Kubectl) -> int:
    """Print what there is. Returns 1 when something is not ready, or nothing is deployed."""
    scope = f"--selector={LABEL}={kubectl.namespace}"
    print(kubectl.run("get", "pods,persistentvolumeclaims", scope, "--output=wide"), end="")
    late = not_ready(kubectl)
    if late:
        print(
            f"sutra-deploy: status: not ready: {', '.join(late)}\n"
            f"tip: `kubectl --namespace {kubectl.namespace} describe pods` says why",
            file=sys.stderr,
        )
    return CHECK_FAILED if late else OK
