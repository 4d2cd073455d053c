"""Test the calls of `up`, `down` and `status` to a cluster, their order, and what they refuse."""

from __future__ import annotations

import base64
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.__main__ import main as front_door
from scripts.common.errors import SutraError
from scripts.deploy import kubernetes
from tests.unit.deploy.conftest import NAMES, Cluster, thing

OURS = {
    "kind": "Namespace",
    "metadata": {"name": "sutra", "labels": {"org.sutra.project": "sutra"}},
}
KEY = "0123456789abcdef0123456789abcdef"
OPEN = (
    "sutra-deploy: warning: SUTRA_API_KEY is not set: any pod that the network policies let in "
    "may read and write\n"
)
SELECTOR = "--selector=org.sutra.project=sutra"
KINDS = NAMES.removeprefix("get-")


def deploy(*words: str) -> int:
    return front_door(["deploy", *words, "--target", "kubernetes"])


def refused(*words: str) -> tuple[str, str]:
    with pytest.raises(SutraError) as caught:
        deploy(*words)
    return caught.value.message, caught.value.tip


def changes(cluster: Cluster) -> list[str]:
    """Return the calls that change something."""
    calls = cluster.calls("create", "replace", "apply", "delete", "rollout")
    return [line for line in calls if "--dry-run" not in line]


# ---- up --------------------------------------------------------------------


def test_up_checks_all_of_it_before_it_changes_anything(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # 200 seconds go by before each workload is waited for
    monkeypatch.setattr(kubernetes, "monotonic", itertools.count(1000, 200).__next__)
    cluster.has("get-namespace-sutra", OURS)
    assert deploy("up") == 0
    apply = "apply --validate=strict --filename=-"
    assert cluster.calls("apply", "create", "rollout") == [
        f"{apply} --dry-run=server",
        "create --filename=-",
        apply,
        "rollout status statefulset/sutra-storage --timeout=100s",
        "rollout status deployment/sutra-api --timeout=1s",
    ]
    shown = capsys.readouterr()
    assert shown.err == OPEN
    assert shown.out == (
        "sutra-deploy: up: sutra is ready; `kubectl --namespace sutra port-forward "
        "service/sutra-api 8000` reaches the API\n"
    )


def test_the_first_up_makes_namespace_and_the_key_between_the_services(cluster: Cluster) -> None:
    assert deploy("up") == 0
    namespace, secret = (json.loads(text) for text in cluster.inputs() if text.startswith("{"))
    assert namespace["kind"] == "Namespace"
    assert secret["metadata"] == {
        "name": "sutra-storage-key",
        "namespace": "sutra",
        "labels": {"org.sutra.project": "sutra"},
    }
    assert len(bytes.fromhex(cluster.stored("sutra-storage-key")["storage-key"])) == 32


def test_a_key_that_is_there_stays(cluster: Cluster) -> None:
    cluster.has("get-namespace-sutra", OURS)
    cluster.has("get-secret-sutra-storage-key", {"kind": "Secret"})
    assert deploy("up") == 0
    assert not cluster.calls("create")


def test_a_callers_key_is_stored_through_a_pipe(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.has("get-namespace-sutra", OURS)
    monkeypatch.setenv("SUTRA_API_KEY", KEY)
    assert deploy("up") == 0
    assert cluster.stored("sutra-api-key") == {"api-key": KEY}
    assert not any(KEY in line for line in cluster.calls())
    kustomization = Path(".build/kubernetes/kustomization.yaml").read_text()
    assert "../../deploy/kubernetes/components/api-key" in kustomization
    shown = capsys.readouterr()
    assert KEY not in shown.out + shown.err
    assert OPEN not in shown.err


def test_another_callers_key_starts_the_services_again(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.has("get-namespace-sutra", OURS)
    cluster.has("get-secret-sutra-api-key", {"kind": "Secret", "data": {"api-key": "b2xk"}})
    monkeypatch.setenv("SUTRA_API_KEY", KEY)
    assert deploy("up") == 0
    assert "replace --filename=-" in changes(cluster)
    assert "rollout restart deployment/sutra-api" in changes(cluster)


def test_the_same_callers_key_restarts_nothing(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.has("get-namespace-sutra", OURS)
    data = {"api-key": base64.b64encode(KEY.encode()).decode()}
    cluster.has("get-secret-sutra-api-key", {"kind": "Secret", "data": data})
    monkeypatch.setenv("SUTRA_API_KEY", KEY)
    assert deploy("up") == 0
    assert not any("restart" in line or "replace" in line for line in changes(cluster))


def test_who_deploys_without_a_key_opens_nothing(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.has("get-namespace-sutra", OURS)
    cluster.has("get-secret-sutra-api-key", {"kind": "Secret"})
    assert deploy("up") == 0
    assert "components/api-key" in Path(".build/kubernetes/kustomization.yaml").read_text()
    assert capsys.readouterr().err == ""


def test_the_key_of_dot_env_counts(cluster: Cluster) -> None:
    cluster.has("get-namespace-sutra", OURS)
    Path(".env").write_text(f"SUTRA_API_KEY={KEY}\n")
    assert deploy("up") == 0
    assert cluster.stored("sutra-api-key") == {"api-key": KEY}


def test_what_an_earlier_overlay_had_is_removed(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.has("get-namespace-sutra", OURS)
    scaler = "horizontalpodautoscaler.autoscaling/sutra-api"
    cluster.has(NAMES, f"deployment.apps/sutra-api\nstatefulset.apps/sutra-storage\n{scaler}\n")
    assert deploy("up", "--overlay", "one-node") == 0
    assert cluster.calls("delete") == [f"delete {scaler}"]
    assert f"{scaler} removed\n" in capsys.readouterr().out


def test_the_namespace_is_the_projects(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUTRA_PROJECT", "mine")
    assert deploy("up", "--dry-run") == 0
    written = yaml.safe_load(Path(".build/kubernetes/kustomization.yaml").read_text())
    assert written == {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "mine",
        "labels": [{"includeTemplates": True, "pairs": {"org.sutra.project": "mine"}}],
        "resources": ["../../deploy/kubernetes/overlays/cluster"],
        "components": ["images"],
    }


# ---- a dry run -------------------------------------------------------------


def test_a_dry_run_changes_nothing(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.has("get-namespace-sutra", OURS)
    cluster.has("apply", "deployment.apps/sutra-api created (server dry run)\n")
    monkeypatch.setenv("SUTRA_API_KEY", KEY)
    assert deploy("up", "--dry-run") == 0
    assert changes(cluster) == []
    assert capsys.readouterr().out == "deployment.apps/sutra-api created (server dry run)\n"


def test_without_the_namespace_a_dry_run_is_kubectls_own(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deploy("up", "--dry-run") == 0
    assert changes(cluster) == []
    assert cluster.calls("apply") == ["apply --validate=strict --filename=- --dry-run=client"]
    assert capsys.readouterr().err == (
        f'{OPEN}sutra-deploy: namespace "sutra" is not there yet: checked by kubectl alone\n'
    )


# ---- bad input: one line, and nothing half-done ----------------------------

REFUSED_BY_CLUSTER = """\
Warning: would violate PodSecurity "restricted:latest"
Error from server (BadRequest): error when creating "STDIN": Deployment in version "v1" cannot \
be handled as a Deployment: strict decoding error: unknown field "spec.replica"
Error from server (Forbidden): error when creating "STDIN": services is forbidden
"""


def test_what_the_cluster_refuses_changes_nothing(cluster: Cluster) -> None:
    cluster.has("get-namespace-sutra", OURS)
    cluster.has("apply-dry-error", REFUSED_BY_CLUSTER)
    assert refused("up") == (
        'kubectl apply: Error from server (BadRequest): error when creating "STDIN": Deployment '
        'in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field '
        '"spec.replica" (and 1 more)',
        "`kubectl cluster-info` shows the cluster",
    )
    assert changes(cluster) == []


def test_a_namespace_that_was_made_for_it_goes_again(cluster: Cluster) -> None:
    cluster.has("apply-dry-error", REFUSED_BY_CLUSTER)
    refused("up")
    assert changes(cluster) == ["create --filename=-", "delete namespace sutra --wait=false"]


def test_no_cluster_is_one_line(cluster: Cluster) -> None:
    cluster.has(
        "version-error",
        'E1126 memcache.go:265] "Unhandled Error" err="dial tcp 127.0.0.1:6443"\n'
        "The connection to the server 127.0.0.1:6443 was refused - did you specify the right "
        "host or port?\n",
    )
    assert refused("up") == (
        "no cluster answers: The connection to the server 127.0.0.1:6443 was refused - did you "
        "specify the right host or port?",
        "`kubectl config get-contexts` lists those that kubectl knows",
    )
    assert changes(cluster) == []


def test_no_kubectl_is_one_line(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert refused("up") == (
        "kubectl: not found",
        "install it: https://kubernetes.io/docs/tasks/tools, 1.27 or newer",
    )


def test_a_kubectl_that_says_nothing_is_one_line(cluster: Cluster) -> None:
    cluster.has("version", "<html>")
    assert refused("up")[0] == 'kubectl version: not JSON "<html>"'


@pytest.mark.parametrize(("minor", "shown"), [("26", "1.26"), ("9+", "1.9"), ("", "1"), ("x", "1")])
def test_an_old_cluster_is_refused(cluster: Cluster, minor: str, shown: str) -> None:
    cluster.has("version", {"serverVersion": {"major": "1", "minor": minor}})
    assert refused("up") == (
        f'cluster: too old "{shown}", 1.27 or newer is needed',
        "update the cluster, or choose another: `kubectl config use-context NAME`",
    )


def test_the_oldest_cluster_is_taken(cluster: Cluster) -> None:
    cluster.has("version", {"serverVersion": {"major": "1", "minor": "27"}})
    assert deploy("up") == 0


def test_an_api_that_the_cluster_lacks_is_named(
    cluster: Cluster, release: list[dict[str, Any]]
) -> None:
    policy = thing("NetworkPolicy", "deny-all", "networking.k8s.io/v1")
    cluster.has("kustomize", yaml.safe_dump_all([*release, policy]))
    assert refused("up")[0] == 'cluster: no NetworkPolicy of "networking.k8s.io/v1"'
    assert changes(cluster) == []


def test_a_claim_that_would_wait_for_ever_is_refused(cluster: Cluster) -> None:
    cluster.lists("storageclass", {"metadata": {"name": "slow"}})
    assert refused("up") == (
        "cluster: no default storage class, the storage's claim would wait for ever",
        "name a class in an overlay of your own (OVERLAY=folder), or make one the default: "
        "`kubectl get storageclass`",
    )
    assert changes(cluster) == []


def test_a_claim_that_is_there_needs_no_class(cluster: Cluster) -> None:
    cluster.lists("storageclass")
    cluster.lists("persistentvolumeclaim", {"metadata": {"name": "data-sutra-storage-0"}})
    assert deploy("up") == 0


def test_autoscalers_without_metrics_are_warned_of(
    cluster: Cluster, release: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    scaler = thing("HorizontalPodAutoscaler", "sutra-api", "autoscaling/v2")
    cluster.has("kustomize", yaml.safe_dump_all([*release, scaler]))
    cluster.has("api-versions", "v1\napps/v1\nautoscaling/v2\n")
    assert deploy("up") == 0
    assert (
        "sutra-deploy: warning: the cluster has no metrics API: "
        "horizontalpodautoscaler/sutra-api cannot scale\n"
    ) in capsys.readouterr().err


def test_anothers_namespace_is_refused(cluster: Cluster) -> None:
    cluster.has("get-namespace-sutra", {"metadata": {"name": "sutra"}})
    message = 'cluster: namespace "sutra" is not of this project, nothing was touched'
    assert refused("up")[0] == message
    assert refused("down", "--data", "--yes")[0] == message
    assert changes(cluster) == []


def test_without_digests_nothing_is_deployed(cluster: Cluster) -> None:
    Path(".build/kubernetes/images/kustomization.yaml").unlink()
    assert refused("up") == (
        ".build/kubernetes/images/kustomization.yaml: no such file: no promotion went to a "
        "registry",
        "run `make promote REGISTRY=host/path`; nodes that have the images already take "
        "OVERLAY=one-node",
    )


@pytest.mark.parametrize("overlay", ["cluster", "one-node"])
@pytest.mark.parametrize("edit", ["# mine\n", "images: [{name: sutra-api, newTag: x}]\n", "\x00{"])
def test_images_that_were_edited_by_hand_are_not_deployed(
    cluster: Cluster, overlay: str, edit: str
) -> None:
    file = Path(".build/kubernetes/images/kustomization.yaml")
    with file.open("a") as written:
        written.write(edit)
    assert refused("up", "--overlay", overlay) == (
        f"{file}: edited by hand, nothing was deployed",
        "put the change into an overlay of your own (OVERLAY=folder); "
        "`make promote REGISTRY=host/path` writes the file again",
    )
    assert changes(cluster) == []


def test_images_of_a_version_before_marks_are_not_deployed(cluster: Cluster) -> None:
    file = Path(".build/kubernetes/images/kustomization.yaml")
    file.write_text("# Written by promote 3 at 2026-01-02T03:04:05Z; the next one overwrites it.\n")
    assert refused("up")[0] == f"{file}: edited by hand, nothing was deployed"


def test_images_that_cannot_be_read_are_one_line(cluster: Cluster) -> None:
    file = Path(".build/kubernetes/images/kustomization.yaml")
    file.unlink()
    file.mkdir()
    assert refused("up") == (f"{file}: cannot be read: Is a directory", f"`ls -l {file}`")


def test_one_node_may_have_the_images_already(
    cluster: Cluster, release: list[dict[str, Any]]
) -> None:
    Path(".build/kubernetes/images/kustomization.yaml").unlink()
    local = {"name": "one", "image": "sutra-api:latest", "imagePullPolicy": "Never"}
    for workload in release[1:]:
        workload["spec"]["template"]["spec"]["containers"] = [local]
    cluster.has("kustomize", yaml.safe_dump_all(release))
    assert deploy("up", "--overlay", "one-node") == 0


def test_an_image_that_a_registry_could_exchange_is_refused(
    cluster: Cluster, release: list[dict[str, Any]]
) -> None:
    container = release[1]["spec"]["template"]["spec"]["containers"][0]
    container["image"] = "r.example/t/sutra-api:latest"
    cluster.has("kustomize", yaml.safe_dump_all(release))
    assert refused("up") == (
        "deploy/kubernetes/overlays/cluster: sutra-api: image without a digest "
        '"r.example/t/sutra-api:latest"',
        "run `make promote REGISTRY=host/path`, which writes the digests of all images",
    )


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Deployment", {"template": {"spec": {"containers": [], "initContainers": ["X"]}}}),
        ("CronJob", {"jobTemplate": {"spec": {"template": {"spec": {"containers": ["X"]}}}}}),
        ("Pod", {"containers": ["X"]}),
    ],
)
@pytest.mark.parametrize("image", ["busybox", "", "r.example/x@sha256:12"])
def test_no_kind_of_pod_brings_an_image_without_a_digest(
    cluster: Cluster, release: list[dict[str, Any]], kind: str, spec: dict[str, Any], image: str
) -> None:
    text = json.dumps(spec).replace('"X"', json.dumps({"name": "x", "image": image}))
    extra = thing(kind, "extra", "v1", spec=json.loads(text))
    cluster.has("kustomize", yaml.safe_dump_all([*release, extra]))
    assert refused("up")[0] == (
        f'deploy/kubernetes/overlays/cluster: extra: image without a digest "{image}"'
    )


@pytest.mark.parametrize("text", ["", "---\n", "kind: Namespace\nmetadata: {name: one}\n"])
def test_an_overlay_in_which_nothing_runs_is_refused(cluster: Cluster, text: str) -> None:
    cluster.has("kustomize", text)
    assert refused("up")[0] == "deploy/kubernetes/overlays/cluster: nothing that runs"


def test_a_missing_overlay_is_refused(cluster: Cluster) -> None:
    assert refused("up", "--overlay", "clutser") == (
        'OVERLAY: no kustomization in "deploy/kubernetes/overlays/clutser"',
        "one of cluster, one-node, or the path of a folder",
    )


def test_an_overlay_that_kustomize_refuses_is_one_line(cluster: Cluster) -> None:
    cluster.has("kustomize-error", "error: accumulating resources: no such file\n")
    assert refused("up") == (
        ".build/kubernetes: accumulating resources: no such file",
        "fix it; `kubectl kustomize .build/kubernetes` says it again",
    )


@pytest.mark.parametrize("name", ["my_project", "-mine", "a" * 64])
def test_a_project_that_cannot_be_a_namespace_is_refused(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("SUTRA_PROJECT", name)
    assert "SUTRA_PROJECT: not the name of a " in refused("up")[0]


@pytest.mark.parametrize("key", ["short", "0123456789abcde", "a" * 513, "0123456789abcdeé"])
def test_a_key_that_the_services_would_refuse_is_refused(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("SUTRA_API_KEY", key)
    assert refused("up") == (
        "SUTRA_API_KEY: not 16 to 512 letters, digits or -._~+/ "
        f"({len(key)} characters, not shown)",
        "set it to what `openssl rand -hex 32` prints",
    )
    assert cluster.calls() == []


def test_a_file_of_a_key_is_read_to_its_end_of_line(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("key").write_text(f"{KEY}\n")
    monkeypatch.setenv("SUTRA_API_KEY_FILE", "key")
    cluster.has("get-namespace-sutra", OURS)
    assert deploy("up") == 0
    assert cluster.stored("sutra-api-key") == {"api-key": KEY}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, 'SUTRA_API_KEY_FILE: cannot be read, no such file or directory "key"'),
        (b"\xff\xfe", 'SUTRA_API_KEY_FILE: cannot be read, not utf-8 text "key"'),
        (
            b"",
            "SUTRA_API_KEY_FILE: not 16 to 512 letters, digits or -._~+/ (0 characters, not shown)",
        ),
    ],
)
def test_a_file_without_a_key_is_refused(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, content: bytes | None, problem: str
) -> None:
    if content is not None:
        Path("key").write_bytes(content)
    monkeypatch.setenv("SUTRA_API_KEY_FILE", "key")
    assert refused("up")[0] == problem


def test_two_callers_keys_are_refused(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUTRA_API_KEY", KEY)
    monkeypatch.setenv("SUTRA_API_KEY_FILE", "key")
    assert refused("up") == ("SUTRA_API_KEY_FILE: set beside SUTRA_API_KEY", "unset one of the two")


def test_a_promotion_that_has_not_ended_is_not_deployed(cluster: Cluster) -> None:
    Path(".build/promotion.json").write_text("{}")
    assert refused("up")[0].startswith(".build/promotion.json: ")
    assert cluster.calls() == []


# ---- what is not ready -----------------------------------------------------


def test_what_is_not_ready_in_time_says_why(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.has("get-namespace-sutra", OURS)
    cluster.has("rollout-error", "error: timed out waiting for the condition\n")
    conditions = [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/1 nodes are available",
        }
    ]
    waiting = {"state": {"waiting": {"reason": "ErrImagePull", "message": "not\nfound"}}}
    crashed = {"state": {"running": {}}, "ready": False, "restartCount": 3}
    failed = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": 'violates PodSecurity "restricted"',
    }
    cluster.lists(
        "deployment,statefulset,pod",
        thing("Deployment", "sutra-api", status={"conditions": [failed]}),
        thing("Pod", "sutra-api-2", status={"containerStatuses": [waiting, crashed]}),
        thing("Pod", "sutra-api-1", status={"conditions": conditions}),
        thing("Pod", "sutra-api-3", status={"containerStatuses": [{"ready": True}]}),
    )
    assert deploy("up") == 1
    assert capsys.readouterr().err.removeprefix(OPEN) == (
        'sutra-api: FailedCreate: violates PodSecurity "restricted"\n'
        "sutra-api-1: Unschedulable: 0/1 nodes are available\n"
        "sutra-api-2: ErrImagePull: not�found\n"
        "sutra-api-2: runs and is not ready, restarted 3 times\n"
        "sutra-deploy: up: not ready: statefulset/sutra-storage, deployment/sutra-api\n"
        "tip: fix what the lines above say, then run it again; replicas that were ready before "
        "serve on, and `kubectl --namespace sutra rollout undo NAME` takes it back\n"
    )


BACK_OFF = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting"}}


@pytest.mark.parametrize(
    ("container", "line"),
    [
        pytest.param(
            {
                "state": BACK_OFF,
                "lastState": {
                    "terminated": {"exitCode": 255, "message": "exec /app/run: exec format error\n"}
                },
            },
            "ended with exit code 255: exec /app/run: exec format error",
            id="a node of another architecture",
        ),
        pytest.param(
            {
                "state": {
                    "terminated": {"exitCode": 2, "message": "log\n\nSUTRA_X: no\ntip: set it"}
                }
            },
            "ended with exit code 2: SUTRA_X: no | tip: set it",
            id="a problem and its tip are the last lines",
        ),
        pytest.param(
            {"state": BACK_OFF, "lastState": {"terminated": {"exitCode": 1, "message": " \n"}}},
            "CrashLoopBackOff: back-off 10s restarting",
            id="a crash without a word",
        ),
        pytest.param(
            {
                "state": {"running": {}},
                "restartCount": 1,
                "lastState": {"terminated": {"exitCode": 2, "message": "long ago"}},
            },
            "runs and is not ready, restarted 1 times",
            id="what runs has not ended",
        ),
        pytest.param(
            {
                "state": {
                    "waiting": {
                        "reason": "ErrImagePull",
                        "message": "no match for platform in manifest: not found",
                    }
                }
            },
            "ErrImagePull: no match for platform in manifest: not found",
            id="an index without the node's architecture",
        ),
    ],
)
def test_a_crash_is_explained_by_its_own_last_lines(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], container: dict[str, Any], line: str
) -> None:
    cluster.has("get-namespace-sutra", OURS)
    cluster.has("rollout-error", "error: timed out waiting for the condition\n")
    pod = thing("Pod", "sutra-api-1", status={"containerStatuses": [container]})
    cluster.lists("deployment,statefulset,pod", pod)
    assert deploy("up") == 1
    assert capsys.readouterr().err.removeprefix(OPEN).splitlines()[0] == f"sutra-api-1: {line}"


@pytest.mark.parametrize(
    ("replicas", "ready", "code", "line"),
    [
        (2, 2, 0, ""),
        (2, 1, 1, "sutra-deploy: status: not ready: sutra-api\n"),
        (2, None, 1, "sutra-deploy: status: not ready: sutra-api\n"),
    ],
)
def test_status_counts_ready_replicas(
    cluster: Cluster,
    capsys: pytest.CaptureFixture[str],
    replicas: int,
    ready: int | None,
    code: int,
    line: str,
) -> None:
    status = {} if ready is None else {"readyReplicas": ready}
    deployment = thing("Deployment", "sutra-api", spec={"replicas": replicas}, status=status)
    cluster.lists("deployment,statefulset", deployment)
    cluster.has("get-pods,persistentvolumeclaims", "NAME READY\n")
    assert deploy("status") == code
    shown = capsys.readouterr()
    assert shown.out == "NAME READY\n"
    tip = "tip: `kubectl --namespace sutra describe pods` says why\n"
    assert shown.err == (line and line + tip)


def test_status_fails_where_nothing_is_deployed(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.lists("deployment,statefulset")
    assert deploy("status") == 1
    assert "sutra-deploy: status: not ready: nothing is deployed\n" in capsys.readouterr().err


# ---- down ------------------------------------------------------------------


def test_down_leaves_claim_keys_and_namespace(cluster: Cluster) -> None:
    cluster.has("get-namespace-sutra", OURS)
    assert deploy("down") == 0
    assert changes(cluster) == [f"delete {KINDS} {SELECTOR}"]


def test_data_are_not_removed_without_an_answer(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.has("get-namespace-sutra", OURS)
    cluster.lists("persistentvolumeclaim", {"metadata": {"name": "data-sutra-storage-0"}})
    assert refused("down", "--data") == (
        "down --data: confirmation needed, but stdin is not a terminal",
        "add --yes",
    )
    assert capsys.readouterr().err == (
        "sutra-deploy: down --data deletes every concept in: data-sutra-storage-0\n"
    )
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "data-sutra-storage")
    assert refused("down", "--data")[0] == (
        'down --data: not the name "data-sutra-storage", nothing was touched'
    )
    monkeypatch.setattr("builtins.input", ended)
    assert refused("down", "--data")[0] == 'down --data: not the name "", nothing was touched'
    assert changes(cluster) == []


def ended(_: str) -> str:
    raise EOFError


@pytest.mark.parametrize("words", [("--yes",), ()])
def test_data_go_by_the_names_that_were_shown(
    cluster: Cluster, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.has("get-namespace-sutra", OURS)
    cluster.lists("persistentvolumeclaim", {"metadata": {"name": "data-sutra-storage-0"}})
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "data-sutra-storage-0")
    assert deploy("down", "--data", *words) == 0
    assert changes(cluster) == [
        f"delete {KINDS} {SELECTOR}",
        "delete persistentvolumeclaim data-sutra-storage-0",
        "delete secret sutra-storage-key sutra-api-key --ignore-not-found",
    ]


def test_a_dry_run_of_down_removes_nothing(cluster: Cluster) -> None:
    cluster.has("get-namespace-sutra", OURS)
    cluster.lists("persistentvolumeclaim", {"metadata": {"name": "data-sutra-storage-0"}})
    assert deploy("down", "--data", "--dry-run") == 0
    assert changes(cluster) == []


def test_down_succeeds_where_nothing_is_deployed(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deploy("down") == 0
    assert capsys.readouterr().err == 'sutra-deploy: down: no namespace "sutra"\n'
    assert changes(cluster) == []


def test_data_go_with_down_alone(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        deploy("up", "--data")
    assert end.value.code == 2
    assert capsys.readouterr().err.endswith("error: --data goes with down\n")
