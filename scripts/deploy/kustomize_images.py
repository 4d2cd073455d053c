"""The images that Kubernetes runs, by digest: a kustomize component that promotion writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from scripts.common import files
from scripts.common.platforms import image_of
from scripts.deploy import written_file
from scripts.history.ledger import Entry

FILE = Path(".build/kubernetes/images/kustomization.yaml")
# the manifests' own policy never asks a registry: their names have none
PULL = {
    "target": {"kind": "Deployment|StatefulSet"},
    "patch": '[{"op": "replace", "path": "/spec/template/spec/containers/0/imagePullPolicy", '
    '"value": "IfNotPresent"}]\n',
}


def write(entries: Sequence[Entry], file: Path = FILE) -> None:
    """Write the digests of the last promotion that went to a registry, if there is one.

    Raises DiskError; the file is whole or as it was.
    """
    pushed = [entry for entry in entries if entry.registry]
    if pushed:
        files.write(file, text(pushed[-1]), "kubernetes", f"`ls -ld {file.parent}` says more")


def _digests(entry: Entry) -> dict[str, str]:
    """Return the registry's digest of each image: all platforms of one are in one index."""
    return {image_of(name): image.digest for name, image in entry.images.items() if image.digest}


def text(entry: Entry) -> str:
    """Return the component that sets every image of a promotion to its registry's digest."""
    component: dict[str, Any] = {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "images": [
            {"name": name, "newName": f"{entry.registry}/{name}", "digest": digest}
            for name, digest in _digests(entry).items()
        ],
        "patches": [PULL],
    }
    what = f"{entry.verb} {entry.number}" + (f" ({entry.version})" if entry.version else "")
    body = yaml.safe_dump(component, sort_keys=False, width=200)
    about = f"# Written by {what} at {entry.at}; the next one overwrites it.\n"
    return written_file.marked(about + body)


def refuse_edited(file: Path = FILE) -> None:
    """Raise SutraError where the file is not as a promotion wrote it: other images would run."""
    written_file.refuse_edited(
        file,
        "put the change into an overlay of your own (OVERLAY=folder); "
        "`make promote REGISTRY=host/path` writes the file again",
    )
