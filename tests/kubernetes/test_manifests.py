"""deploy/kubernetes has every setting of docker-compose.yml and every promise of images.yaml."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from scripts.catalog import catalog
from scripts.common.errors import SutraError
from scripts.deploy import one_writer
from tests.conftest import ROOT
from tests.support import compose_file, kustomize
from tests.support.compose_file import quantity, size, tmpfs

OVERLAYS = ("one-node", "cluster")
SERVICES = compose_file.services()
# oldest that scripts/deploy/cluster.py takes, and the newest that has schemas
VERSIONS = ("1.27", kubernetes_validate.latest_version())
PAGE = (ROOT / "docs/kubernetes.md").read_text()
SECCOMP = (ROOT / "docs/seccomp.md").read_text()
Objects = list[dict[str, Any]]


@cache
def rendered(overlay: str) -> Objects:
    """Return the objects of one of our overlays."""
    return kustomize.rendered(ROOT / "deploy/kubernetes/overlays" / overlay)


@pytest.fixture(params=OVERLAYS)
def objects(request: pytest.FixtureRequest) -> Objects:
    return copy.deepcopy(rendered(request.param))


def named(objects: Objects, kind: str, name: str) -> dict[str, Any]:
    (match,) = (o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name)
    return match


def workload(objects: Objects, name: str) -> dict[str, Any]:
    kind = "StatefulSet" if name == "sutra-storage" else "Deployment"
    return named(objects, kind, name)


def pod(objects: Objects, name: str) -> dict[str, Any]:
    template: dict[str, Any] = workload(objects, name)["spec"]["template"]["spec"]
    return template


def container(objects: Objects, name: str) -> dict[str, Any]:
    (only,) = pod(objects, name)["containers"]
    return dict(only)


# ---- Kubernetes itself -----------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_what_kubernetes_takes(objects: Objects, version: str) -> None:
    for thing in objects:
        kubernetes_validate.validate(thing, version, strict=True)


def test_a_field_that_kubernetes_does_not_know_is_noticed(objects: Objects) -> None:
    context = container(objects, "sutra-api")["securityContext"]
    context["readOnlyRootFileSystem"] = context.pop("readOnlyRootFilesystem")
    with pytest.raises(kubernetes_validate.ValidationError, match="readOnlyRootFileSystem"):
        kubernetes_validate.validate(workload(objects, "sutra-api"), VERSIONS[0], strict=True)


# ---- each line of the compose file -----------------------------------------

Check = Callable[[Objects, str, Any], bool]


def runs_as(objects: Objects, name: str, value: str) -> bool:
    context = pod(objects, name)["securityContext"]
    user = f"{context['runAsUser']}:{context['runAsGroup']}"
    return bool(user == value and context["runAsNonRoot"])


def mounts(objects: Objects, name: str) -> dict[str, dict[str, Any]]:
    """Return the volume behind each path."""
    spec = workload(objects, name)["spec"]
    volumes = {v["name"]: v for v in spec["template"]["spec"].get("volumes", [])}
    volumes |= {v["metadata"]["name"]: v for v in spec.get("volumeClaimTemplates", [])}
    return {m["mountPath"]: volumes[m["name"]] for m in container(objects, name)["volumeMounts"]}


def has_volumes(objects: Objects, name: str, value: list[str]) -> bool:
    volumes = mounts(objects, name)
    return all("accessModes" in volumes[volume.split(":")[1]].get("spec", {}) for volume in value)


def has_tmpfs(objects: Objects, name: str, value: list[str]) -> bool:
    volumes = mounts(objects, name)
    return all(
        volumes[path]["emptyDir"]["medium"] == "Memory"
        and quantity(volumes[path]["emptyDir"]["sizeLimit"]) == size(options["size"])
        for path, options in map(tmpfs, value)
    )


def variables(objects: Objects, name: str) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container(objects, name)["env"]}


def has_environment(objects: Objects, name: str, value: dict[str, str | None]) -> bool:
    values = variables(objects, name)
    return all(
        values.get(key) == text
        for key, text in value.items()
        if text is not None and not key.endswith("_FILE")
    )


def has_secrets(objects: Objects, name: str, value: list[str]) -> bool:
    """Return whether each is a file that the service's user, and nobody else, may read."""
    files = [text for key, text in variables(objects, name).items() if key.endswith("_KEY_FILE")]
    volumes = mounts(objects, name)
    modes = [volumes[str(Path(file).parent)]["secret"]["defaultMode"] for file in files]
    return (
        [Path(file).name for file in files] == value
        and modes == [0o440] * len(value)
        and pod(objects, name)["securityContext"]["fsGroup"] == 10001
    )


def service_matches(objects: Objects, name: str, value: list[dict[str, Any]]) -> bool:
    """Return whether only the cluster reaches its ports: loopback in compose, no NodePort here."""
    spec = named(objects, "Service", name)["spec"]
    return (
        spec.get("type", "ClusterIP") == "ClusterIP"
        and [p["port"] for p in spec["ports"]] == [p["target"] for p in value]
        and [p["containerPort"] for p in container(objects, name)["ports"]]
        == [p["target"] for p in value]
        and all(p["host_ip"] == "127.0.0.1" for p in value)
    )


def is_walled(objects: Objects, name: str, value: list[str]) -> bool:
    """Return whether pods that are only on the internal network open no connections."""
    assert named(objects, "NetworkPolicy", "deny-all")["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    policy = named(objects, "NetworkPolicy", "sutra-services" if "public" in value else name)[
        "spec"
    ]
    return policy["policyTypes"] == ["Ingress", "Egress"] and (
        "public" in value or "egress" not in policy
    )


def asks(probe: str, path: str) -> Callable[[Objects, str], bool]:
    def check(objects: Objects, name: str) -> bool:
        handler = container(objects, name)[probe]["httpGet"]
        return bool(handler == {"path": path, "port": "http"})

    return check


def stops_in_time(objects: Objects, name: str, value: str) -> bool:
    drain = int(variables(objects, name).get("SUTRA_DRAIN_SECONDS", "0"))
    seconds = pod(objects, name)["terminationGracePeriodSeconds"]
    return bool(f"{seconds - drain}s" == value)


def context(objects: Objects, name: str) -> dict[str, Any]:
    return dict(container(objects, name)["securityContext"])


def is_confined(objects: Objects, name: str, value: list[str]) -> bool:
    """Return whether it gains nothing, and what it may call is some profile's to say.

    Its own profile is a component, because nodes must have the file first.
    """
    profile = f"seccomp=packages/{name}/seccomp.json"
    ours = [profile] if (ROOT / f"packages/{name}/seccomp.json").exists() else []
    return (
        value == ["no-new-privileges:true", *ours]
        and context(objects, name)["allowPrivilegeEscalation"] is False
        and pod(objects, name)["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    )


CHECKS: dict[str, Check] = {
    "user": runs_as,
    "read_only": lambda o, n, v: context(o, n)["readOnlyRootFilesystem"] is v,
    "cap_drop": lambda o, n, v: context(o, n)["capabilities"] == {"drop": v},
    "security_opt": is_confined,
    "pull_policy": lambda o, n, v: container(o, n)["imagePullPolicy"].lower() == v,
    "restart": lambda o, n, v: pod(o, n).get("restartPolicy", "Always") == "Always",
    "stop_grace_period": stops_in_time,
    "labels": lambda o, n, v: (
        v.items() <= workload(o, n)["spec"]["template"]["metadata"]["labels"].items()
    ),
    "image": lambda o, n, v: container(o, n)["image"] == v,
    "networks": is_walled,
    "volumes": has_volumes,
    "tmpfs": has_tmpfs,
    "environment": has_environment,
    "secrets": has_secrets,
    "mem_limit": lambda o, n, v: (
        quantity(container(o, n)["resources"]["limits"]["memory"]) == size(v)
    ),
    "depends_on": lambda o, n, v: asks("readinessProbe", "/health")(o, n),
    "healthcheck": lambda o, n, v: asks("readinessProbe", v["test"][-1])(o, n),
    "ports": service_matches,
}
# settings that Kubernetes leaves to its nodes: a row of the page explains each
ON_NODES = ("logging", "memswap_limit", "pids_limit")


@pytest.mark.parametrize(("name", "key"), [(n, k) for n, s in SERVICES.items() for k in s])
def test_every_key_of_the_compose_file_has_its_counterpart(
    objects: Objects, name: str, key: str
) -> None:
    if key in ON_NODES:
        assert re.search(rf"^\| `{key}`", PAGE, re.MULTILINE)
    else:
        assert CHECKS[key](objects, name, SERVICES[name][key])


def test_the_component_gives_each_service_its_own_profile(tmp_path: Path) -> None:
    folder = ROOT / "deploy/kubernetes"
    (tmp_path / "kustomization.yaml").write_text(
        f"resources: [{os.path.relpath(folder / 'overlays/cluster', tmp_path)}]\n"
        f"components: [{os.path.relpath(folder / 'components/seccomp', tmp_path)}]\n"
    )
    objects = kustomize.rendered(tmp_path)
    for name in SERVICES:
        assert (ROOT / f"packages/{name}/seccomp.json").is_file()
        assert pod(objects, name)["securityContext"]["seccompProfile"] == {
            "type": "Localhost",
            "localhostProfile": f"sutra/{name}.json",
        }
        assert re.search(rf"packages/{name}/seccomp.json /var/lib/kubelet/seccomp/sutra/", SECCOMP)


def test_noexec_is_on_the_page() -> None:
    assert all("noexec" in option for s in SERVICES.values() for option in s.get("tmpfs", []))
    assert re.search(r"^\| `noexec`", PAGE, re.MULTILINE)


def _set(*path: str, value: Any) -> Callable[[Objects, str], None]:
    def change(objects: Objects, name: str) -> None:
        place: Any = pod(objects, name)
        for key in path[:-1]:
            place = place["containers"][0] if key == "container" else place[key]
        place[path[-1]] = value

    return change


def _node_port(objects: Objects, name: str) -> None:
    named(objects, "Service", name)["spec"]["type"] = "NodePort"


def _readable(objects: Objects, name: str) -> None:
    for volume in pod(objects, name)["volumes"]:
        volume.get("secret", {})["defaultMode"] = 0o444


def _larger(objects: Objects, name: str) -> None:
    for volume in pod(objects, name)["volumes"]:
        volume.get("emptyDir", {})["sizeLimit"] = "1Gi"


def _no_project(objects: Objects, name: str) -> None:
    del workload(objects, name)["spec"]["template"]["metadata"]["labels"]["org.sutra.project"]


def _claimless(objects: Objects, name: str) -> None:
    for claim in workload(objects, name)["spec"]["volumeClaimTemplates"]:
        claim["spec"] = {}


def _open(objects: Objects, name: str) -> None:
    named(objects, "NetworkPolicy", "sutra-services")["spec"]["policyTypes"] = ["Ingress"]


CONTEXT = ("container", "securityContext")
WORSE: dict[str, Callable[[Objects, str], None]] = {
    "user": _set("securityContext", "runAsUser", value=0),
    "read_only": _set(*CONTEXT, "readOnlyRootFilesystem", value=False),
    "cap_drop": _set(*CONTEXT, "capabilities", value={"drop": ["ALL"], "add": ["CHOWN"]}),
    "security_opt": _set(*CONTEXT, "allowPrivilegeEscalation", value=True),
    "pull_policy": _set("container", "imagePullPolicy", value="IfNotPresent"),
    "restart": _set("restartPolicy", value="Never"),
    "stop_grace_period": _set("terminationGracePeriodSeconds", value=9),
    "labels": _no_project,
    "image": _set("container", "image", value="sutra-api"),
    "networks": _open,
    "volumes": _claimless,
    "tmpfs": _larger,
    "environment": _set("container", "env", value=[]),
    "secrets": _readable,
    "mem_limit": _set("container", "resources", "limits", value={"memory": "4Gi"}),
    "depends_on": _set("container", "readinessProbe", value={"httpGet": {"path": "/live"}}),
    "healthcheck": _set("container", "readinessProbe", value={"httpGet": {"path": "/live"}}),
    "ports": _node_port,
}


@pytest.mark.parametrize("key", CHECKS)
def test_less_than_the_compose_file_is_noticed(objects: Objects, key: str) -> None:
    name = "sutra-storage" if key == "volumes" else "sutra-api"
    WORSE[key](objects, name)
    assert not CHECKS[key](objects, name, SERVICES[name][key])


# ---- what is Kubernetes' own -----------------------------------------------


@pytest.mark.parametrize("name", SERVICES)
def test_requests_are_the_memory_that_images_yaml_promises(objects: Objects, name: str) -> None:
    image = SERVICES[name]["image"].partition(":")[0]
    budget = catalog.load(ROOT / "images.yaml", {}).find(image).budget.memory
    assert quantity(container(objects, name)["resources"]["requests"]["memory"]) == budget


@pytest.mark.parametrize("name", SERVICES)
def test_an_outage_of_the_storage_restarts_no_pod(objects: Objects, name: str) -> None:
    assert asks("livenessProbe", "/live")(objects, name)
    assert asks("startupProbe", "/live")(objects, name)


@pytest.mark.parametrize("name", SERVICES)
def test_a_pod_has_no_token_of_the_cluster_and_no_foreign_variables(
    objects: Objects, name: str
) -> None:
    assert pod(objects, name)["automountServiceAccountToken"] is False
    assert pod(objects, name)["enableServiceLinks"] is False
    assert pod(objects, name)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_the_namespace_refuses_pods_that_are_not_hardened(objects: Objects) -> None:
    labels = named(objects, "Namespace", "sutra")["metadata"]["labels"]
    assert [
        labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "audit", "warn")
    ] == ["restricted"] * 3


def test_the_data_outlive_the_statefulset(objects: Objects) -> None:
    spec = workload(objects, "sutra-storage")["spec"]
    assert spec["persistentVolumeClaimRetentionPolicy"] == {
        "whenDeleted": "Retain",
        "whenScaled": "Retain",
    }
    assert spec["replicas"] == 1


def test_selectors_find_their_pods(objects: Objects) -> None:
    for name in SERVICES:
        labels = workload(objects, name)["spec"]["template"]["metadata"]["labels"].items()
        assert workload(objects, name)["spec"]["selector"]["matchLabels"].items() <= labels
        assert named(objects, "Service", name)["spec"]["selector"].items() <= labels


def test_the_storage_answers_its_two_clients_alone(objects: Objects) -> None:
    (rule,) = named(objects, "NetworkPolicy", "sutra-storage")["spec"]["ingress"]
    (peer,) = rule["from"]
    (match,) = peer["podSelector"]["matchExpressions"]
    assert sorted(match["values"]) == ["sutra-api", "sutra-hybrid"]


@pytest.mark.parametrize("name", ["sutra-api", "sutra-hybrid"])
def test_a_cluster_scales_and_spreads(name: str) -> None:
    objects = rendered("cluster")
    scaler = named(objects, "HorizontalPodAutoscaler", name)["spec"]
    assert scaler["scaleTargetRef"]["name"] == name
    assert scaler["minReplicas"] == 2
    assert "replicas" not in workload(objects, name)["spec"]  # the autoscaler's to say
    budget = named(objects, "PodDisruptionBudget", name)["spec"]
    labels = workload(objects, name)["spec"]["template"]["metadata"]["labels"]
    assert budget["selector"]["matchLabels"].items() <= labels.items()
    assert budget["maxUnavailable"] == 1
    keys = [
        constraint["topologyKey"] for constraint in pod(objects, name)["topologySpreadConstraints"]
    ]
    assert keys == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]


def test_a_second_replica_of_our_storage_is_noticed(objects: Objects) -> None:
    one_writer.require(objects, Path("ours"))
    workload(objects, "sutra-storage")["spec"]["replicas"] = 2
    with pytest.raises(SutraError) as caught:
        one_writer.require(objects, Path("ours"))
    assert caught.value.message.startswith("ours: sutra-storage: more than one replica, ")
