"""The stack on a cluster of one node, while pods are killed and versions change.

`make test-kubernetes` runs it; the tests are in their order, each on what the one before left.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.e2e.test_deploy import OUTSIDE, REFUSED
from tests.e2e.test_knowledge import FACTS, FEARED, answers
from tests.kubernetes.node import KUBELET, Cluster, cluster, last_lines
from tests.support import oci
from tests.support.fixture_images import elf
from tests.support.load import Load, check, stored, writing
from tests.support.stack import API, HYBRID, STORAGE, request, wait_for

IMAGES = ("sutra-api", "sutra-hybrid", "sutra-storage-server")
SERVICES = (API, HYBRID, STORAGE)
# image of a program for s390x, a processor that no test runs on
FOREIGN = "localhost/foreign:1"
REASONS = """
from scripts.deploy import kubectl, readiness
print("\\n".join(readiness.reasons(kubectl.Kubectl("sutra"))))
"""


@pytest.fixture(scope="module")
def node(tag: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("node")
    with cluster(folder, [f"{name}:{tag}" for name in IMAGES]) as running:
        started = time.monotonic()
        done = running.deploy("up")
        assert done.returncode == 0, done.stdout + done.stderr + last_lines(folder)
        print(f"\nall pods are ready after {time.monotonic() - started:.0f} s")
        yield running


def identities(node: Cluster) -> dict[str, str]:
    """Return the container of each pod: another one was started again."""
    return {
        name: pod["status"]["containerStatuses"][0]["containerID"]
        for service in SERVICES
        for name, pod in node.pods(service).items()
    }


def kill(node: Cluster, service: str) -> None:
    """Kill the container of a service's first pod, as a crash does."""
    pods = node.pods(service)
    pod = pods[min(pods)]
    container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    node.machine.run("ctr", "--namespace=k8s.io", "tasks", "kill", "--signal=SIGKILL", container)


def change(node: Cluster, lines: Sequence[Mapping[str, object]]) -> None:
    """Make changes in one batch, all of which succeed."""
    body = "\n".join(map(json.dumps, lines)).encode()
    answer = request(node.address(API), "POST", "/batch", body, text=True)
    assert answer.status == 200, answer
    results = [json.loads(line)["status"] for line in answer.body.splitlines()]
    assert [status for status in results if status >= 300] == []
    assert len(results) == len(lines)


def wait_until_written(load: Load, more: int) -> None:
    """Wait until so many more writes are acknowledged."""
    before = load.acknowledged()
    wait_for(lambda: load.acknowledged() >= before + more, "writes are not acknowledged")


def first_reason(node: Cluster, words: str) -> str:
    """Return the first line with these words of why pods are not ready, "" without one."""
    done = node.inside(sys.executable, "-c", REASONS)
    lines = [line for line in done.stdout.splitlines() if words in line]
    return lines[0] if lines else ""


def test_all_of_it_runs(node: Cluster) -> None:
    assert [len(node.pods(service)) for service in SERVICES] == [1, 1, 1]
    done = node.deploy("status")
    assert done.returncode == 0, done.stdout + done.stderr
    for service in (API, HYBRID):
        node.wait_ready(service)


def test_a_thousand_facts_are_found_also_by_another_storage_pod(node: Cluster) -> None:
    facts = [{"op": "put_concept", "id": name, "text": text} for name, text in FACTS.items()]
    feared = [{"op": "put_association"} | association for association in FEARED]
    change(node, [*facts, *feared])
    before = answers(node)
    assert dict(before[0]) == FACTS
    node.kubectl("delete", "pod", f"{STORAGE}-0")
    node.kubectl("rollout", "status", f"statefulset/{STORAGE}", "--timeout=120s")
    node.wait_ready(HYBRID)
    assert answers(node) == before
    gone = [{"op": "delete_concept", "id": name} for name in FACTS]
    change(node, gone)
    assert stored(node) == {}


def test_killed_pods_take_no_acknowledged_write_with_them(node: Cluster) -> None:
    node.kubectl("scale", "deployment/sutra-api", "--replicas=2")
    node.kubectl("rollout", "status", "deployment/sutra-api", "--timeout=120s")
    with writing(node) as load:
        wait_until_written(load, 100)
        for service in (API, STORAGE, API):
            kill(node, service)
            wait_until_written(load, 100)
    check(load)
    print(
        f"\nthe API's container killed twice, the storage's once: {load.acknowledged()} "
        f"acknowledged writes, {load.refused} refused, none lost"
    )


def test_an_outage_of_the_storage_restarts_no_other_pod(node: Cluster) -> None:
    node.kubectl("rollout", "status", "deployment/sutra-api", "--timeout=120s")
    before = identities(node)
    node.kubectl("scale", "statefulset/sutra-storage", "--replicas=0")
    wait_for(lambda: not node.pods(STORAGE), "the storage did not end")
    until = time.monotonic() + 25  # liveness asks every five seconds, and gives up at three
    while time.monotonic() < until:
        # no replica is ready, so that the service has no address; each still lives
        time.sleep(5)
        now = identities(node)
        assert now == {name: before[name] for name in now}
        assert len(now) == 3
    node.kubectl("scale", "statefulset/sutra-storage", "--replicas=1")
    node.kubectl("rollout", "status", "statefulset/sutra-storage", "--timeout=120s")
    node.wait_ready(API)


def test_an_image_for_another_processor_is_named_and_the_old_one_serves(node: Cluster) -> None:
    program = oci.layer(oci.entry("program", elf(machine="s390x", kind=2), mode=0o755))
    image = oci.saved([program], tag=FOREIGN, entrypoint=["/program"])
    node.machine.run("ctr", "--namespace=k8s.io", "images", "import", "-", stdin=image)
    node.kubectl("set", "image", "deployment/sutra-api", f"sutra-api={FOREIGN}")

    reason = partial(first_reason, node, "ended with exit code")
    line = wait_for(reason, "nothing says why it is not ready")
    assert re.search(r"ended with exit code \d+: .*exec /program: exec format error$", line), line
    node.wait_ready(API)
    node.kubectl("rollout", "undo", "deployment/sutra-api")
    node.kubectl("rollout", "status", "deployment/sutra-api", "--timeout=120s")


def test_what_is_taken_down_and_up_again_has_its_data(node: Cluster) -> None:
    before = stored(node)
    assert len(before) > 100
    done = node.deploy("down")
    assert done.returncode == 0, done.stdout + done.stderr
    wait_for(lambda: not any(node.pods(service) for service in SERVICES), "pods that do not end")
    done = node.deploy("up")
    assert done.returncode == 0, done.stdout + done.stderr
    node.wait_ready(API)
    assert stored(node) == before


# ---- the component of deploy/kubernetes/components/seccomp --------------------


@pytest.fixture(scope="module")
def own_profiles(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An overlay of one's own with the component, as docs/seccomp.md says."""
    folder = tmp_path_factory.mktemp("own") / "one-node"
    folder.mkdir()
    places = {
        key: [os.path.relpath(ROOT / "deploy/kubernetes" / place, folder)]
        for key, place in (("resources", "overlays/one-node"), ("components", "components/seccomp"))
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(places))
    return str(folder)


def profile_of(service: str) -> dict[str, Any]:
    """Return the reviewed profile of a service."""
    return dict(json.loads((ROOT / f"packages/{service}/seccomp.json").read_text()))


def allowed(document: Mapping[str, Any]) -> set[str]:
    """Return the calls that a profile allows, in Docker's form or in the runtime's."""
    rules = document["syscalls"]
    return {name for rule in rules if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}


def put_profile(node: Cluster, service: str) -> None:
    """Put a service's profile where the kubelet looks for it."""
    content = (ROOT / f"packages/{service}/seccomp.json").read_bytes()
    node.machine.write(f"{KUBELET}/seccomp/sutra/{service}.json", content)


def running_profile(node: Cluster, service: str) -> dict[str, Any]:
    """Return the profile with which containerd has started a service's container."""
    (pod,) = node.pods(service).values()
    (status,) = pod["status"]["containerStatuses"]
    identity = status["containerID"].removeprefix("containerd://")
    shown = node.machine.run("ctr", "--namespace=k8s.io", "containers", "info", identity)
    return dict(json.loads(shown)["Spec"]["linux"]["seccomp"])


def test_services_answer_under_their_own_profiles(node: Cluster, own_profiles: str) -> None:
    before = stored(node)
    for service in SERVICES:
        put_profile(node, service)
    done = node.deploy("up", overlay=own_profiles)
    assert done.returncode == 0, done.stdout + done.stderr
    for service in SERVICES:
        loaded = running_profile(node, service)
        assert loaded["defaultAction"] == profile_of(service)["defaultAction"]
        assert allowed(loaded) == allowed(profile_of(service))
    for service in (API, HYBRID):
        node.wait_ready(service)
    assert stored(node) == before
    change(node, [{"op": "put_concept", "id": "seccomp", "text": "a call that is refused"}])
    assert "seccomp" in stored(node)


@pytest.mark.parametrize("service", [API, HYBRID])
def test_a_call_outside_of_the_profile_is_refused_and_the_service_answers(
    node: Cluster, service: str
) -> None:
    said = node.kubectl("exec", f"deployment/{service}", "--", "python", "-c", OUTSIDE)
    assert said.splitlines() == REFUSED
    assert request(node.address(service), "GET", "/health").status == 200


def test_a_shell_beside_a_pod_has_its_files_and_not_its_profile(node: Cluster) -> None:
    """The command is that of docs/debugging.md, with an image that the node has."""
    (name,) = node.pods(API)
    code = f"{OUTSIDE}\nprint(os.path.isdir('/proc/1/root/app/sutra_api'))"
    words = (f"--target={API}", "--profile=restricted", "--container=shell")
    image = ("--image=sutra-hybrid:latest", "--image-pull-policy=Never")
    node.kubectl("debug", name, *words, *image, "--", "python", "-c", code)

    def ended() -> list[str]:
        (status,) = node.get("pod", name)["status"].get("ephemeralContainerStatuses") or [{}]
        is_over = "terminated" in status.get("state", {})
        return node.kubectl("logs", name, "--container=shell").splitlines() if is_over else []

    said = wait_for(ended, "the shell does not end")
    assert said == ["mkfifo None", "inotify True", "nice 1", "True"]


def test_a_node_without_a_profile_starts_no_pod_and_is_named(node: Cluster) -> None:
    node.machine.run("rm", f"{KUBELET}/seccomp/sutra/{API}.json")
    node.kubectl("rollout", "restart", f"deployment/{API}")
    line = wait_for(partial(first_reason, node, "seccomp"), "nothing says why it is not ready")
    assert re.search(rf'sutra/{API}\.json"?: no such file or directory', line), line
    # the pod before it serves until another one is ready
    assert request(node.address(API), "GET", "/health").status == 200
    put_profile(node, API)
    node.kubectl("rollout", "status", f"deployment/{API}", "--timeout=120s")
