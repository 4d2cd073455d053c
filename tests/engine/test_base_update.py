"""An update of a base: services are built again, and a pull transfers the base's layer alone."""

from __future__ import annotations

import json
import re
import shutil
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support import project as projects
from tests.support.project import Project
from tests.support.registries import registry

LAYERS = "base-images/lib/layers.sh"
# the builder has the base's library, as builders of services have: an update runs all steps again
SERVICE = """FROM sutra-base-python:latest AS builder
COPY --from={base}:prod /library /usr/lib/of-the-base
RUN mkdir -p /opt/sutra && echo {name} > /opt/sutra/own
RUN --mount=type=bind,source=layers.sh,target=/mnt/layers.sh \\
    sh /mnt/layers.sh /layers /opt/sutra:/opt/sutra
FROM {base}:prod
COPY --from=builder /layers/1 /
"""
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json, "
MANIFEST += "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def service(project: Project, toolchain: None) -> Project:
    base = f"{project.name}-base"
    text = (project.folder / "images.yaml").read_text()
    entry = text[text.index(f"  {project.name}:") :]
    project.write("images.yaml", text + entry.replace(project.name, base))
    project.write("docker-bake.hcl", projects.ON_A_BASE.format(base=base, name=project.name))
    project.write("Dockerfile", SERVICE.format(base=base, name=project.name))
    project.write("Dockerfile.base", "FROM scratch\nCOPY library /\n")
    shutil.copy(ROOT / LAYERS, project.folder)
    return project


def promoted(service: Project, address: str, version: str, library: str) -> list[str]:
    """Promote with this library in the base; return the digests of the service's layers."""
    service.write("library", library)
    done = service.run("prod", VERSION=version, REGISTRY=address)
    assert done.returncode == 0, done.stderr[-3000:]
    # no step of the builder is from the cache: else its layers are the same in any case
    number = re.findall(r"^#(\d+) \[.*builder 4/4\] RUN", done.stderr, re.MULTILINE)[0]
    assert re.search(rf"^#{number} DONE", done.stderr, re.MULTILINE)
    request = urllib.request.Request(
        f"http://{address}/v2/{service.name}/manifests/{version}", headers={"Accept": MANIFEST}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return [layer["digest"] for layer in json.load(answer)["layers"]]


def test_a_pull_of_the_service_transfers_the_bases_layer_alone(
    service: Project, tmp_path: Path
) -> None:
    with registry(tmp_path / "registry") as address:
        before = promoted(service, address, "1.0.0", "libssl 3.5.7")
        after = promoted(service, address, "1.0.1", "libssl 3.5.9, of a security update")
    assert after[0] != before[0]
    assert after[1:] == before[1:] != []
