"""`up`, `down` and `status` against a real kube-apiserver, which judges everything strictly.

`make test-kubernetes` runs it; the tests are in their order, on one cluster.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.__main__ import main as front_door
from scripts.common.errors import SutraError
from scripts.deploy import kubernetes
from scripts.deploy.written_file import marked
from tests.conftest import ROOT
from tests.kubernetes.control_plane import control_plane, kubeconfig_of
from tests.support.registries import free_port

CLASS = """
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: local
  annotations: {storageclass.kubernetes.io/is-default-class: "true"}
provisioner: kubernetes.io/no-provisioner
"""
CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data-sutra-storage-0, labels: {org.sutra.project: sutra}}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
DIGEST = "sha256:" + "1" * 64


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with control_plane(tmp_path_factory.mktemp("control-plane")) as config:
        yield config


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the manifests, and the digests of a promotion."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "deploy", folder / "deploy")
    images = folder / ".build/kubernetes/images"
    images.mkdir(parents=True)
    names = ("sutra-api", "sutra-hybrid", "sutra-storage-server")
    listed = [{"name": n, "newName": f"r.example/t/{n}", "digest": DIGEST} for n in names]
    component = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}
    text = yaml.safe_dump({**component, "images": listed})
    (images / "kustomization.yaml").write_text(marked(text))
    return folder


@pytest.fixture(autouse=True)
def _call(kubeconfig: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.chdir(checkout)
    monkeypatch.setattr(kubernetes, "WAIT_SECONDS", 1)  # no controller makes anything ready
    for knob in ("SUTRA_API_KEY", "SUTRA_API_KEY_FILE", "SUTRA_PROJECT"):
        monkeypatch.delenv(knob, raising=False)


def deploy(*words: str) -> int:
    return front_door(["deploy", *words, "--target", "kubernetes"])


def kubectl(*words: str, stdin: str = "", check: bool = True) -> str:
    done = subprocess.run(
        ["kubectl", "--namespace=sutra", *words], input=stdin, text=True, capture_output=True
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def listed() -> set[str]:
    return set(kubectl("get", kubernetes.KINDS, "--output=name").split())


def test_a_claim_that_would_wait_for_ever_is_refused() -> None:
    with pytest.raises(SutraError) as caught:
        deploy("up")
    assert caught.value.message.startswith("cluster: no default storage class, ")
    kubectl("apply", "--filename=-", stdin=CLASS)


def test_a_dry_run_stores_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy("up", "--dry-run") == 0
    assert "deployment.apps/sutra-api created (dry run)" in capsys.readouterr().out
    assert "NotFound" in kubectl("get", "namespace", "sutra", check=False)


def test_a_misspelt_field_is_refused_and_leaves_nothing(checkout: Path) -> None:
    overlay = checkout / "bad"
    overlay.mkdir()
    patch = [
        {
            "op": "add",
            "path": "/spec/template/spec/containers/0/securityContext/readOnlyRootFileSystem",
            "value": True,
        }
    ]
    (overlay / "kustomization.yaml").write_text(
        yaml.safe_dump(
            {
                "resources": ["../deploy/kubernetes/overlays/one-node"],
                "patches": [{"target": {"kind": "Deployment"}, "patch": json.dumps(patch)}],
            }
        )
    )
    with pytest.raises(SutraError) as caught:
        deploy("up", "--overlay", "./bad")
    assert 'unknown field "spec.template.spec.containers[0].securityContext' in caught.value.message
    namespace = json.loads(kubectl("get", "namespace", "sutra", "--output=json"))
    # it only begins to end: a controller would remove it
    assert namespace["metadata"]["deletionTimestamp"]
    finalize(namespace)


def finalize(namespace: dict[str, Any]) -> None:
    """Do what the namespace controller does."""
    namespace["spec"]["finalizers"] = []
    kubectl(
        "replace",
        "--raw",
        "/api/v1/namespaces/sutra/finalize",
        "--filename=-",
        stdin=json.dumps(namespace),
    )


def test_up_stores_all_of_it_and_says_what_is_not_ready(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert deploy("up") == 1
    shown = capsys.readouterr().err
    assert "statefulset/sutra-storage, deployment/sutra-api, deployment/sutra-hybrid\n" in shown
    assert "the cluster has no metrics API" in shown
    assert listed() >= {
        "deployment.apps/sutra-api",
        "deployment.apps/sutra-hybrid",
        "statefulset.apps/sutra-storage",
        "service/sutra-storage",
        "networkpolicy.networking.k8s.io/deny-all",
        "horizontalpodautoscaler.autoscaling/sutra-api",
        "poddisruptionbudget.policy/sutra-hybrid",
    }
    assert "sutra-storage-key" in kubectl("get", "secrets")


def test_another_up_makes_no_new_revision_and_no_new_key() -> None:
    def generations() -> dict[str, int]:
        objects = json.loads(kubectl("get", "deployments,statefulsets", "--output=json"))["items"]
        return {item["metadata"]["name"]: item["metadata"]["generation"] for item in objects}

    key = kubectl("get", "secret", "sutra-storage-key", "--output=json")
    before = generations()
    deploy("up")
    assert generations() == before
    assert len(before) == 3
    assert kubectl("get", "secret", "sutra-storage-key", "--output=json") == key


@pytest.mark.parametrize("workload", ["deployment/sutra-api", "statefulset/sutra-storage"])
def test_pod_security_takes_our_pods_and_no_others(workload: str) -> None:
    template = json.loads(kubectl("get", workload, "--output=json"))["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": template["spec"]}
    pod["spec"]["volumes"] += [{"name": "data", "emptyDir": {}}]
    for volume in pod["spec"]["volumes"][:-1]:
        assert volume["name"] != "data"
    create = ("create", "--dry-run=server", "--filename=-")
    assert "pod/one created" in kubectl(*create, stdin=json.dumps(pod))
    for change in (
        {"allowPrivilegeEscalation": True},
        {"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}},
        {"runAsUser": 0},
    ):
        worse = json.loads(json.dumps(pod))
        worse["spec"]["containers"][0]["securityContext"].update(change)
        refused = kubectl(*create, stdin=json.dumps(worse), check=False)
        assert 'violates PodSecurity "restricted:latest"' in refused


def test_another_overlay_removes_what_it_has_not(capsys: pytest.CaptureFixture[str]) -> None:
    deploy("up", "--overlay", "one-node")
    kinds = {name.partition("/")[0] for name in listed()}
    assert "horizontalpodautoscaler.autoscaling" not in kinds
    assert "poddisruptionbudget.policy" not in kinds
    assert "deployment.apps" in kinds


def test_a_callers_key_is_asked_for_from_then_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SUTRA_API_KEY", "0123456789abcdef")
    deploy("up", "--overlay", "one-node")
    monkeypatch.delenv("SUTRA_API_KEY")
    deploy("up", "--overlay", "one-node")
    text = kubectl("get", "deployment", "sutra-api", "--output=yaml")
    assert "SUTRA_API_KEY_FILE" in text
    assert "0123456789abcdef" not in text
    stored = kubectl("get", "secret", "sutra-api-key", "--output=yaml")
    assert "last-applied" not in stored


def test_status_counts_what_is_not_ready(capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy("status") == 1
    assert (
        "sutra-deploy: status: not ready: sutra-api, sutra-hybrid, sutra-storage\n"
        in capsys.readouterr().err
    )


def test_down_leaves_the_claim_and_the_keys() -> None:
    kubectl("apply", "--filename=-", stdin=CLAIM)
    assert deploy("down") == 0
    assert listed() == set()
    assert "data-sutra-storage-0" in kubectl("get", "persistentvolumeclaims")
    assert "sutra-storage-key" in kubectl("get", "secrets")


def test_data_go_when_they_are_asked_for() -> None:
    with pytest.raises(SutraError) as caught:
        deploy("down", "--data")
    assert caught.value.message == ("down --data: confirmation needed, but stdin is not a terminal")
    assert "data-sutra-storage-0" in kubectl("get", "persistentvolumeclaims")
    assert deploy("down", "--data", "--yes") == 0
    assert "No resources found" in kubectl("get", "persistentvolumeclaims,secrets")


def test_a_cluster_that_is_gone_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig_of(tmp_path, port, "token")))
    with pytest.raises(SutraError) as caught:
        deploy("up")
    assert caught.value.message == (
        f"no cluster answers: The connection to the server 127.0.0.1:{port} was refused - did "
        "you specify the right host or port?"
    )


def test_a_token_that_the_cluster_does_not_know_is_one_line(
    tmp_path: Path, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    port = int(server.rpartition(":")[2])
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig_of(tmp_path, port, "wrong")))
    with pytest.raises(SutraError) as caught:
        deploy("up")
    assert caught.value.message == (
        "no cluster answers: You must be logged in to the server (the server has asked for the "
        "client to provide credentials)"
    )
