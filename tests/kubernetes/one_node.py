"""The stack on a cluster of one node, while pods are killed and versions change.

`make test-kubernetes` runs it; the tests are in their order, each on what the one before left.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

import pytest

from tests.e2e.test_knowledge import FACTS, FEARED, answers
from tests.kubernetes.node import Cluster, cluster, last_lines
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

    def reason() -> str:
        done = node.inside(sys.executable, "-c", REASONS)
        lines = [line for line in done.stdout.splitlines() if "ended with exit code" in line]
        return lines[0] if lines else ""

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
