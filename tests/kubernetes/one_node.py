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
def one(tag: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("node")
    with cluster(folder, [f"{name}:{tag}" for name in IMAGES]) as made:
        started = time.monotonic()
        done = made.deploy("up")
        assert done.returncode == 0, done.stdout + done.stderr + last_lines(folder)
        print(f"\nall pods are ready after {time.monotonic() - started:.0f} s")
        yield made


def identities(one: Cluster) -> dict[str, str]:
    """Return the container of each pod: another one was started again."""
    return {
        name: pod["status"]["containerStatuses"][0]["containerID"]
        for service in SERVICES
        for name, pod in one.pods(service).items()
    }


def kill(one: Cluster, service: str) -> None:
    """Kill the container of a service's first pod, as a crash does."""
    pods = one.pods(service)
    pod = pods[min(pods)]
    container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    one.machine.run("ctr", "--namespace=k8s.io", "tasks", "kill", "--signal=SIGKILL", container)


def change(one: Cluster, lines: Sequence[Mapping[str, object]]) -> None:
    """Make changes in one batch, all of which succeed."""
    body = "\n".join(map(json.dumps, lines)).encode()
    answer = request(one.address(API), "POST", "/batch", body, text=True)
    assert answer.status == 200, answer
    results = [json.loads(line)["status"] for line in answer.body.splitlines()]
    assert [status for status in results if status >= 300] == []
    assert len(results) == len(lines)


def wait_until_written(load: Load, more: int) -> None:
    """Wait until so many more writes are acknowledged."""
    before = load.acknowledged()
    wait_for(lambda: load.acknowledged() >= before + more, "writes are not acknowledged")


def test_all_of_it_runs(one: Cluster) -> None:
    assert [len(one.pods(service)) for service in SERVICES] == [1, 1, 1]
    done = one.deploy("status")
    assert done.returncode == 0, done.stdout + done.stderr
    for service in (API, HYBRID):
        one.wait_ready(service)


def test_a_thousand_facts_are_found_also_by_another_storage_pod(one: Cluster) -> None:
    facts = [{"op": "put_concept", "id": name, "text": text} for name, text in FACTS.items()]
    feared = [{"op": "put_association"} | association for association in FEARED]
    change(one, [*facts, *feared])
    before = answers(one)
    assert dict(before[0]) == FACTS
    one.kubectl("delete", "pod", f"{STORAGE}-0")
    one.kubectl("rollout", "status", f"statefulset/{STORAGE}", "--timeout=120s")
    one.wait_ready(HYBRID)
    assert answers(one) == before
    gone = [{"op": "delete_concept", "id": name} for name in FACTS]
    change(one, gone)
    assert stored(one) == {}


def test_killed_pods_take_no_acknowledged_write_with_them(one: Cluster) -> None:
    one.kubectl("scale", "deployment/sutra-api", "--replicas=2")
    one.kubectl("rollout", "status", "deployment/sutra-api", "--timeout=120s")
    with writing(one) as load:
        wait_until_written(load, 100)
        for service in (API, STORAGE, API):
            kill(one, service)
            wait_until_written(load, 100)
    check(load)
    print(
        f"\nthe API's container killed twice, the storage's once: {load.acknowledged()} "
        f"acknowledged writes, {load.refused} refused, none lost"
    )


def test_an_outage_of_the_storage_restarts_no_other_pod(one: Cluster) -> None:
    one.kubectl("rollout", "status", "deployment/sutra-api", "--timeout=120s")
    before = identities(one)
    one.kubectl("scale", "statefulset/sutra-storage", "--replicas=0")
    wait_for(lambda: not one.pods(STORAGE), "the storage did not end")
    until = time.monotonic() + 25  # liveness asks every five seconds, and gives up at three
    while time.monotonic() < until:
        # no replica is ready, so that the service has no address; each still lives
        time.sleep(5)
        now = identities(one)
        assert now == {name: before[name] for name in now}
        assert len(now) == 3
    one.kubectl("scale", "statefulset/sutra-storage", "--replicas=1")
    one.kubectl("rollout", "status", "statefulset/sutra-storage", "--timeout=120s")
    one.wait_ready(API)


def test_an_image_for_another_processor_is_named_and_the_old_one_serves(one: Cluster) -> None:
    program = oci.layer(oci.entry("program", elf(machine="s390x", kind=2), mode=0o755))
    image = oci.saved([program], tag=FOREIGN, entrypoint=["/program"])
    one.machine.run("ctr", "--namespace=k8s.io", "images", "import", "-", given=image)
    one.kubectl("set", "image", "deployment/sutra-api", f"sutra-api={FOREIGN}")

    def reason() -> str:
        done = one.inside(sys.executable, "-c", REASONS)
        lines = [line for line in done.stdout.splitlines() if "ended with exit code" in line]
        return lines[0] if lines else ""

    line = wait_for(reason, "nothing says why it is not ready")
    assert re.search(r"ended with exit code \d+: .*exec /program: exec format error$", line), line
    one.wait_ready(API)
    one.kubectl("rollout", "undo", "deployment/sutra-api")
    one.kubectl("rollout", "status", "deployment/sutra-api", "--timeout=120s")


def test_what_is_taken_down_and_up_again_has_its_data(one: Cluster) -> None:
    before = stored(one)
    assert len(before) > 100
    done = one.deploy("down")
    assert done.returncode == 0, done.stdout + done.stderr
    wait_for(lambda: not any(one.pods(service) for service in SERVICES), "pods that do not end")
    done = one.deploy("up")
    assert done.returncode == 0, done.stdout + done.stderr
    one.wait_ready(API)
    assert stored(one) == before
