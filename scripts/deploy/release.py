"""What goes to the cluster: an overlay, the digests of the last promotion, a name, maybe a key."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scripts.common import files
from scripts.common.errors import SutraError
from scripts.deploy import kubectl, kustomize_images, one_writer

FOLDER = Path(".build/kubernetes")
KUBERNETES = Path("deploy/kubernetes")
OVERLAYS = KUBERNETES / "overlays"
# nodes have the images of the overlay's name already: no registry is asked
LOCAL = "one-node"
DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
LABEL = "org.sutra.project"
# the storage, for which the others wait, is first
WORKLOADS = ("StatefulSet", "Deployment")


@dataclass(frozen=True)
class Release:
    """The objects of one release, as the cluster gets them."""

    text: str
    objects: tuple[Mapping[str, Any], ...]

    def names(self, *kinds: str) -> list[str]:
        """Return "deployment/sutra-api" and the like, of these kinds, one kind after the other."""
        return [
            f"{kind.lower()}/{item['metadata']['name']}"
            for kind in kinds
            for item in self.objects
            if item["kind"] == kind
        ]


def namespace(project: str) -> str:
    """Return the namespace of a project: its name. Raises SutraError for what cannot be one."""
    if not NAMESPACE.fullmatch(project):
        raise SutraError(
            f'SUTRA_PROJECT: not the name of a namespace "{project}"',
            "lower-case letters, digits and -, at most 63, such as SUTRA_PROJECT=mine",
        )
    return project


def overlay(name: str) -> Path:
    """Return the folder of an overlay: one of ours by its name, or any that has a path."""
    folder = Path(name) if "/" in name else OVERLAYS / name
    if not (folder / "kustomization.yaml").is_file():
        overlays = ", ".join(
            sorted(path.parent.name for path in OVERLAYS.glob("*/kustomization.yaml"))
        )
        raise SutraError(
            f'OVERLAY: no kustomization in "{folder}"',
            f"one of {overlays}, or the path of a folder",
        )
    return folder


def make(folder: Path, project: str, with_key: bool) -> Release:
    """Write the kustomization of a release, and return what it holds.

    Raises SutraError where an image could come from a registry that nobody named.
    """
    components = [KUBERNETES / "components/api-key"] if with_key else []
    kustomize_images.refuse_edited()
    if kustomize_images.FILE.exists():
        components.append(kustomize_images.FILE.parent)
    elif folder.name != LOCAL:
        raise SutraError(
            f"{kustomize_images.FILE}: no such file: no promotion went to a registry",
            "run `make promote REGISTRY=host/path`; nodes that have the images already take "
            f"OVERLAY={LOCAL}",
        )
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": project,
        "labels": [{"includeTemplates": True, "pairs": {LABEL: project}}],
        "resources": [os.path.relpath(folder, FOLDER)],
        "components": [os.path.relpath(component, FOLDER) for component in components],
    }
    text = "# Written by ./sutra-deploy.sh.\n" + yaml.safe_dump(kustomization, sort_keys=False)
    files.write(FOLDER / "kustomization.yaml", text, "kubernetes", f"`ls -ld {FOLDER}` says more")
    return parse(kubectl.build(str(FOLDER)), folder)


def parse(text: str, folder: Path) -> Release:
    """Return a rendered release. Raises SutraError for what must not run, or nothing that runs."""
    objects = tuple(item for item in yaml.safe_load_all(text) if item)
    workloads = [item for item in objects if item["kind"] in WORKLOADS]
    if not workloads:
        raise SutraError(f"{folder}: nothing that runs", f"`kubectl kustomize {folder}` shows it")
    for item in objects:
        for container in _containers(item):
            _refuse_unpinned(item["metadata"]["name"], container, folder)
    one_writer.require(objects, folder)
    return Release(text, objects)


def _containers(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every container below an object, whatever its kind: of jobs and init steps as well."""
    if isinstance(value, list):
        for element in value:
            yield from _containers(element)
    elif isinstance(value, Mapping):
        for key, below in value.items():
            if key in ("containers", "initContainers"):
                yield from below
            yield from _containers(below)


def _refuse_unpinned(name: str, container: Mapping[str, Any], folder: Path) -> None:
    """Raise SutraError for an image that a registry could exchange."""
    image = str(container.get("image", ""))
    if not DIGEST.search(image) and container.get("imagePullPolicy") != "Never":
        raise SutraError(
            f'{folder}: {name}: image without a digest "{image}"',
            "run `make promote REGISTRY=host/path`, which writes the digests of all images",
        )
