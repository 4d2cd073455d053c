"""What overlays do to the storage's data, and what `up` refuses of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.__main__ import main as front_door
from scripts.common.errors import SutraError
from scripts.deploy import one_writer
from tests.unit.deploy.conftest import Cluster, thing

FOLDER = Path("ours")
CLAIM = {"metadata": {"name": "data"}}
LOST = (
    "ours: store: /var/lib/sutra is on no claim, the data would be gone with the pod",
    "leave volumeClaimTemplates in; a patch of it may name a storageClassName",
)
SPLIT = (
    "ours: store: more than one replica, and each would have data of its own",
    "take `replicas` and autoscalers of it out; docs/scaling.md says where to go then",
)


def store(volume: dict[str, Any] | None = None, path: str = "/var/lib/sutra", **spec: Any) -> Any:
    """Return a storage whose data are on this volume, or on a claim of the set."""
    mount = {"name": "data", "mountPath": path}
    pod: dict[str, Any] = {
        "containers": [{"name": "one", "imagePullPolicy": "Never", "volumeMounts": [mount]}]
    }
    if volume is None:
        spec["volumeClaimTemplates"] = [CLAIM]
    else:
        pod["volumes"] = [{"name": "data", **volume}]
    return thing("StatefulSet", "store", "apps/v1", spec={"template": {"spec": pod}, **spec})


def scaler(kind: str, name: str) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": kind, "name": name}
    return thing("HorizontalPodAutoscaler", "any", spec={"scaleTargetRef": target})


def refused(*objects: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(SutraError) as caught:
        one_writer.require(objects, FOLDER)
    return caught.value.message, caught.value.tip


@pytest.mark.parametrize(
    "volume",
    [{"emptyDir": {}}, {"emptyDir": {"medium": "Memory"}}, {"hostPath": {"path": "/x"}}],
)
@pytest.mark.parametrize("path", ["/var/lib/sutra", "/var/lib/sutra/"])
def test_data_that_are_on_no_claim_are_refused(volume: dict[str, Any], path: str) -> None:
    assert refused(store(volume, path)) == LOST


def test_a_volume_that_no_list_has_is_refused() -> None:
    broken = store()
    broken["spec"]["volumeClaimTemplates"] = []
    assert refused(broken) == LOST


def test_names_that_are_none_are_refused_or_left_to_the_cluster() -> None:
    broken = store()
    broken["spec"]["template"]["spec"]["containers"][0]["volumeMounts"][0]["name"] = ["data"]
    broken["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": {}}}]
    broken["spec"]["template"]["spec"]["volumes"] = [{"name": [], "persistentVolumeClaim": {}}]
    assert refused(broken) == LOST
    target: dict[str, Any] = {"scaleTargetRef": {"kind": [], "name": {}}}
    one_writer.require([thing("HorizontalPodAutoscaler", "any", spec=target), store()], FOLDER)


@pytest.mark.parametrize("replicas", [2, 30])
def test_a_second_writer_is_refused(replicas: int) -> None:
    assert refused(store(replicas=replicas)) == SPLIT


def test_an_autoscaler_of_the_storage_is_refused() -> None:
    assert refused(scaler("StatefulSet", "store"), store()) == SPLIT


def test_one_replica_on_a_claim_is_taken() -> None:
    claim = {"persistentVolumeClaim": {"claimName": "mine"}}
    others = [scaler("Deployment", "store"), scaler("StatefulSet", "other")]
    one_writer.require([store(), store(claim), store(replicas=0), *others], FOLDER)


@pytest.mark.parametrize(
    "spec", [None, [], {"template": 5}, {"template": {"spec": {"containers": "x"}}}]
)
def test_what_no_cluster_takes_is_left_to_the_cluster(spec: Any) -> None:
    one_writer.require([thing("StatefulSet", "store", spec=spec)], FOLDER)


def test_a_storage_without_data_may_have_replicas() -> None:
    one_writer.require([store({"emptyDir": {}}, "/tmp", replicas=3)], FOLDER)


def test_up_sends_nothing_of_it(cluster: Cluster, release: list[dict[str, Any]]) -> None:
    cluster.has("kustomize", yaml.safe_dump_all([*release, store(replicas=2)]))
    with pytest.raises(SutraError) as caught:
        front_door(["deploy", "up", "--target", "kubernetes"])
    assert caught.value.message == SPLIT[0].replace("ours", "deploy/kubernetes/overlays/cluster")
    assert cluster.calls("apply", "create", "delete", "rollout") == []
