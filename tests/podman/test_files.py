"""deploy/quadlet and deploy/podman have every setting of docker-compose.yml."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.conftest import ROOT
from tests.support import compose_file
from tests.support.compose_file import quantity, size, tmpfs

QUADLET = ROOT / "deploy/quadlet"
PLAY = ROOT / "deploy/podman/sutra.yaml"
PAGE = (ROOT / "docs/podman.md").read_text()
# a new service has these files where Podman runs it
OURS = {"sutra-api", "sutra-hybrid", "sutra-storage"}
UNITS = {file.stem for file in QUADLET.glob("*.container")}
SERVICES = {name: service for name, service in compose_file.services().items() if name in UNITS}
Unit = dict[str, list[str]]


def unit(file: Path) -> Unit:
    """Return every value of each "Section.Key" of a unit file, in its order."""
    parsed: Unit = {}
    section = ""
    for line in file.read_text().splitlines():
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section = match[1]
        elif match := re.fullmatch(r"(\w+)=(.*)", line):
            parsed.setdefault(f"{section}.{match[1]}", []).append(match[2])
    return parsed


def test_every_unit_and_every_pod_is_a_service_of_the_compose_file() -> None:
    assert OURS <= set(SERVICES) == UNITS == set(pods())


def has(key: str, *values: str) -> Callable[[Unit, Any], bool]:
    return lambda unit, _: set(values) <= set(unit.get(f"Container.{key}", []))


def environment(unit: Unit, value: dict[str, str | None]) -> bool:
    wanted = {f"{name}={text}" for name, text in value.items() if text is not None}
    return wanted <= set(unit["Container.Environment"])


def published(unit: Unit, value: list[dict[str, Any]]) -> bool:
    wanted = [f"{p['host_ip']}:{p['published']}:{p['target']}" for p in value]
    return unit.get("Container.PublishPort", []) == wanted


CHECKS: dict[str, Callable[[Unit, Any], bool]] = {
    "user": lambda u, v: f"{u['Container.User'][0]}:{u['Container.Group'][0]}" == v,
    "read_only": lambda u, v: (
        u["Container.ReadOnly"] == ["true"] and u["Container.ReadOnlyTmpfs"] == ["false"]
    ),
    "cap_drop": lambda u, v: (
        u["Container.DropCapability"] == [capability.lower() for capability in v]
    ),
    "security_opt": has("NoNewPrivileges", "true"),
    "pull_policy": lambda u, v: u["Container.Pull"] == [v],
    "restart": lambda u, v: u["Service.Restart"] == ["always"],
    "stop_grace_period": lambda u, v: u["Container.StopTimeout"] == [v.removesuffix("s")],
    "labels": lambda u, v: u["Container.Label"] == [f"{k}={t}" for k, t in v.items()],
    "image": lambda u, v: u["Container.Image"] == [f"localhost/{v}"],
    "networks": lambda u, v: (
        u["Container.Network"] == [f"sutra-{network}.network" for network in v]
    ),
    "volumes": lambda u, v: (
        u["Container.Volume"]
        == [f"sutra-{volume.partition(':')[0]}.volume:{volume.partition(':')[2]}" for volume in v]
    ),
    "environment": environment,
    "secrets": lambda u, v: (
        u["Container.Secret"]
        == [
            f"sutra-{secret},type=mount,target={secret},uid=10001,gid=10001,mode=0400"
            for secret in v
        ]
    ),
    "mem_limit": lambda u, v: f"--memory={v}" in u["Container.PodmanArgs"][0].split(),
    "memswap_limit": lambda u, v: f"--memory-swap={v}" in u["Container.PodmanArgs"][0].split(),
    "pids_limit": lambda u, v: u["Container.PidsLimit"] == [str(v)],
    "depends_on": lambda u, v: u["Unit.After"] == [f"{service}.service" for service in v],
    "ports": published,
    "healthcheck": lambda u, v: json.loads(u["Container.HealthCmd"][0]) == v["test"][1:],
    "tmpfs": lambda u, v: u["Container.Tmpfs"] == v,
}
ELSEWHERE = ("logging",)


@pytest.mark.parametrize(("name", "key"), [(n, k) for n, s in SERVICES.items() for k in s])
def test_every_key_of_the_compose_file_is_in_the_units(name: str, key: str) -> None:
    if key in ELSEWHERE:
        assert re.search(rf"^\| `{key}`", PAGE, re.MULTILINE)
    else:
        assert CHECKS[key](unit(QUADLET / f"{name}.container"), SERVICES[name][key])


def test_what_is_not_podmans_own_of_a_key_is_on_the_page() -> None:
    """A seccomp profile is a file that a machine has to be given: its row says how."""
    profiles = {name: SERVICES[name]["security_opt"][1] for name in SERVICES}
    assert profiles == {name: f"seccomp=packages/{name}/seccomp.json" for name in SERVICES}
    assert re.search(r"^\| `security_opt` \(`seccomp`\)", PAGE, re.MULTILINE)


@pytest.mark.parametrize("key", CHECKS)
def test_less_than_the_compose_file_is_noticed(key: str) -> None:
    name = "sutra-storage" if key == "volumes" else "sutra-api"
    empty: Unit = {
        setting: ["[]" if setting.endswith("HealthCmd") else "none"]
        for setting in unit(QUADLET / f"{name}.container")
    }
    assert not CHECKS[key](empty, SERVICES[name][key])


@pytest.mark.parametrize("name", SERVICES)
def test_the_health_check_that_oci_images_lose_is_in_the_unit(name: str) -> None:
    parsed = unit(QUADLET / f"{name}.container")
    text = (ROOT / f"packages/{name}/Dockerfile.prod").read_text()
    check = re.search(
        r"HEALTHCHECK --interval=(\S+) --timeout=(\S+) --start-period=(\S+).*?"
        r"CMD (\[.*?\])",
        text,
        re.DOTALL,
    )
    assert check
    times = [parsed[f"Container.Health{key}"][0] for key in ("Interval", "Timeout", "StartPeriod")]
    assert times == [check[1], check[2], check[3]]
    own = json.loads(check[4])
    assert json.loads(parsed["Container.HealthCmd"][0])[: len(own)] == own
    assert parsed["Container.Notify"] == ["healthy"]


def test_the_storages_network_leads_nowhere() -> None:
    assert unit(QUADLET / "sutra-storage.network")["Network.Internal"] == ["true"]


# ---- podman kube play --------------------------------------------------------

Pod = dict[str, Any]


def pods() -> dict[str, Pod]:
    objects = yaml.safe_load_all(PLAY.read_text())
    return {pod["metadata"]["name"]: pod for pod in objects if pod["kind"] == "Pod"}


def container(pod: Pod) -> dict[str, Any]:
    (only,) = pod["spec"]["containers"]
    return dict(only)


def mounts(pod: Pod) -> dict[str, dict[str, Any]]:
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    return {m["mountPath"]: volumes[m["name"]] for m in container(pod)["volumeMounts"]}


def played_tmpfs(pod: Pod, value: list[str]) -> bool:
    return all(
        quantity(mounts(pod)[path]["emptyDir"]["sizeLimit"]) == size(options["size"])
        for path, options in map(tmpfs, value)
    )


def played_environment(pod: Pod, value: dict[str, str | None]) -> bool:
    variables = {variable["name"]: variable["value"] for variable in container(pod)["env"]}
    plain = {k: t for k, t in value.items() if t is not None and not k.endswith("_FILE")}
    return plain.items() <= variables.items()


def played_ports(pod: Pod, value: list[dict[str, Any]]) -> bool:
    return container(pod).get("ports") == [
        {"containerPort": p["target"], "hostPort": p["target"], "hostIP": p["host_ip"]}
        for p in value
    ]


def context(pod: Pod) -> dict[str, Any]:
    return dict(container(pod)["securityContext"])


PLAYED: dict[str, Callable[[Pod, Any], bool]] = {
    "user": lambda p, v: "{runAsUser}:{runAsGroup}".format(**p["spec"]["securityContext"]) == v,
    "read_only": lambda p, v: context(p)["readOnlyRootFilesystem"] is True,
    "cap_drop": lambda p, v: context(p)["capabilities"] == {"drop": v},
    "security_opt": lambda p, v: context(p)["allowPrivilegeEscalation"] is False,
    "pull_policy": lambda p, v: container(p)["imagePullPolicy"].lower() == v,
    "restart": lambda p, v: p["spec"]["restartPolicy"] == "Always",
    "stop_grace_period": lambda p, v: f"{p['spec']['terminationGracePeriodSeconds']}s" == v,
    "labels": lambda p, v: v.items() <= p["metadata"]["labels"].items(),
    "image": lambda p, v: container(p)["image"] == f"localhost/{v}",
    "volumes": lambda p, v: all(
        "persistentVolumeClaim" in mounts(p)[volume.split(":")[1]] for volume in v
    ),
    "environment": played_environment,
    "secrets": lambda p, v: (
        [volume["secret"]["secretName"] for volume in p["spec"]["volumes"] if "secret" in volume]
        == [f"sutra-{secret}" for secret in v]
    ),
    "mem_limit": lambda p, v: quantity(container(p)["resources"]["limits"]["memory"]) == size(v),
    "ports": played_ports,
    "tmpfs": played_tmpfs,
}
NOT_PLAYED = ("depends_on", "healthcheck", "logging", "memswap_limit", "networks", "pids_limit")


@pytest.mark.parametrize(("name", "key"), [(n, k) for n, s in SERVICES.items() for k in s])
def test_every_key_of_the_compose_file_is_in_what_is_played(name: str, key: str) -> None:
    if key in NOT_PLAYED:
        assert re.search(rf"^\| `{key}`", PAGE, re.MULTILINE)
    else:
        assert PLAYED[key](pods()[name], SERVICES[name][key])


@pytest.mark.parametrize("key", ["user", "read_only", "cap_drop", "security_opt", "pull_policy"])
def test_less_in_what_is_played_is_noticed(key: str) -> None:
    pod = copy.deepcopy(pods()["sutra-api"])
    pod["spec"]["securityContext"] = {"runAsUser": 0, "runAsGroup": 0}
    pod["spec"]["containers"][0] |= {
        "imagePullPolicy": "Always",
        "securityContext": {
            "readOnlyRootFilesystem": False,
            "allowPrivilegeEscalation": True,
            "capabilities": {},
        },
    }
    assert not PLAYED[key](pod, SERVICES["sutra-api"][key])


@pytest.mark.parametrize("name", SERVICES)
def test_probes_are_commands_of_the_images_and_ask_what_lives(name: str) -> None:
    probe = container(pods()[name])["livenessProbe"]
    command = probe["exec"]["command"]
    text = (ROOT / f"packages/{name}/Dockerfile.prod").read_text()
    check = re.search(r"HEALTHCHECK.*?CMD (\[.*?\])", text, re.DOTALL)
    assert check
    assert [word for word in command if word != "/live"] == json.loads(check[1])
    assert "httpGet" not in PLAY.read_text().replace("for an httpGet", "")


def test_kubernetes_takes_what_is_played() -> None:
    for thing in yaml.safe_load_all(PLAY.read_text()):
        kubernetes_validate.validate(thing, "1.32", strict=True)
