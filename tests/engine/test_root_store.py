"""A bootstrapped root builds on both image stores: as a layout, or loaded as an image."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from scripts.build import root_layout, root_store
from scripts.engine import builders, buildx, images
from tests.support.tiny import archive

IMAGE = f"debian:sutra-test-{os.getpid()}"
BUILT = f"sutra-test-root-{os.getpid()}:prod"
BAKE = f"""
variable "ROOT_CONTEXT" {{ default = "" }}
target "default" {{
  contexts          = {{ "{IMAGE}" = ROOT_CONTEXT }}
  dockerfile-inline = "FROM {IMAGE}\\nLABEL of=root"
  tags              = ["{BUILT}"]
}}
"""


@pytest.fixture(params=["client", "other_store"])
def either(request: pytest.FixtureRequest) -> Iterator[docker.DockerClient]:
    """An engine of each image store; this test's images are removed from it."""
    client: docker.DockerClient = request.getfixturevalue(request.param)
    yield client
    for reference in (BUILT, f"{root_store.REPOSITORY}:{IMAGE.replace(':', '-')}"):
        images.untag(client, reference)


def test_a_bootstrapped_root_is_built_upon(
    either: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = vars(either.api)["_custom_adapter"].socket_path
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
    (tmp_path / "docker-bake.hcl").write_text(BAKE)
    (tmp_path / "root.tar").write_bytes(archive("a root"))
    root_layout.write(tmp_path / "root.tar", tmp_path / "layout", IMAGE.partition(":")[2])
    layout = tmp_path / "layout"
    first, context = (root_store.context(either, IMAGE, layout, builders.OWN) for _ in range(2))
    assert first == context
    command = [buildx.find_client(), "buildx", "bake", "--load", "--progress", "plain"]
    environment = os.environ | buildx.BAKE_ENVIRONMENT | {"ROOT_CONTEXT": context}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    diff_id = hashlib.sha256((tmp_path / "root.tar").read_bytes()).hexdigest()
    layers = either.images.get(BUILT).attrs["RootFS"]["Layers"]
    assert layers == [f"sha256:{diff_id}"]
