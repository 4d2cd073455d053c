"""A cluster in a folder: kubectl as a program that answers from files and records its calls.

`get-KIND`, `get-KIND-NAME` hold what the cluster has, `VERB-error` what it says against a verb.
What comes through a pipe is in `given-N`, of its Nth question.
"""

from __future__ import annotations

import base64
import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.deploy.written_file import marked
from tests.unit.fakes import program

KUBECTL = r"""cd "$CLUSTER"
words=
for word; do
  case $word in --namespace=*|--request-timeout=*) ;; *) words="$words $word" ;; esac
done
set -- $words
echo "$*" >>asked
case "$*" in *--filename=-*) cat >"given-$(wc -l <asked)" ;; esac
# whether only the dry run is refused, or every call
case "$*" in *--dry-run=*) error=$1-dry-error ;; *) error=$1-error ;; esac
[ ! -e "$error" ] || { cat "$error" >&2; exit 1; }
case $1 in
  get) case ${3-} in [a-z]*) answer=get-$2-$3 ;; *) answer=get-$2 ;; esac ;;
  *) answer=$1 ;;
esac
[ ! -e "$answer" ] || cat "$answer"
"""
NAMES = "get-" + ",".join(
    (
        "deployment",
        "statefulset",
        "service",
        "networkpolicy",
        "horizontalpodautoscaler",
        "poddisruptionbudget",
    )
)
DIGEST = "sha256:" + "1" * 64
POD = {"spec": {"containers": [{"name": "one", "image": f"r.example/t/sutra-api@{DIGEST}"}]}}
CLAIM = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}


def thing(kind: str, name: str, version: str = "v1", **more: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **more}


@dataclass(frozen=True)
class Cluster:
    folder: Path

    def has(self, name: str, value: object) -> None:
        """Have kubectl print this: JSON, or a text as it is."""
        text = value if isinstance(value, str) else json.dumps(value)
        (self.folder / name).write_text(text)

    def lists(self, kind: str, *items: dict[str, Any]) -> None:
        self.has(f"get-{kind}", {"items": list(items)})

    def calls(self, *verbs: str) -> list[str]:
        file = self.folder / "asked"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line for line in lines if not verbs or line.split()[0] in verbs]

    def inputs(self) -> list[str]:
        """Return what came through pipes, first to last."""
        files = self.folder.glob("given-*")
        return [file.read_text() for file in sorted(files, key=lambda f: int(f.name[6:]))]

    def stored(self, name: str) -> dict[str, str]:
        """Return what the secret of this name got last, decoded."""
        objects = [json.loads(text) for text in self.inputs() if text.startswith("{")]
        *_, last = (candidate for candidate in objects if candidate["metadata"]["name"] == name)
        return {key: base64.b64decode(data).decode() for key, data in last["data"].items()}


@pytest.fixture
def release() -> list[dict[str, Any]]:
    return [
        thing("Namespace", "sutra"),
        thing("Deployment", "sutra-api", "apps/v1", spec={"template": copy.deepcopy(POD)}),
        thing(
            "StatefulSet",
            "sutra-storage",
            "apps/v1",
            spec={"template": copy.deepcopy(POD), "volumeClaimTemplates": [CLAIM]},
        ),
    ]


@pytest.fixture
def cluster(
    folder: Path, release: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> Cluster:
    """A cluster ready for the release, without any part of it; overlays; no promotion."""
    fake = Cluster(folder / "cluster")
    fake.folder.mkdir()
    program(folder / "bin", "kubectl", KUBECTL)
    monkeypatch.setenv("PATH", f"{folder}/bin:/usr/bin:/bin")
    monkeypatch.setenv("CLUSTER", str(fake.folder))
    monkeypatch.delenv("SUTRA_API_KEY", raising=False)
    monkeypatch.delenv("SUTRA_API_KEY_FILE", raising=False)
    fake.has("version", {"serverVersion": {"major": "1", "minor": "32+"}})
    fake.has("api-versions", "v1\napps/v1\nautoscaling/v2\nmetrics.k8s.io/v1beta1\n")
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    fake.lists("storageclass", {"metadata": {"name": "fast", "annotations": default}})
    fake.lists("persistentvolumeclaim")
    fake.has("kustomize", yaml.safe_dump_all(release))
    for name in ("one-node", "cluster"):
        overlay = folder / "deploy/kubernetes/overlays" / name
        overlay.mkdir(parents=True)
        (overlay / "kustomization.yaml").touch()
    images = folder / ".build/kubernetes/images"
    images.mkdir(parents=True)
    (images / "kustomization.yaml").write_text(marked(""))
    return fake
