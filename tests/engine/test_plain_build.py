"""The plain commands of the documentation build the same images, without bake.

Behind a private CA they take `--secret`, and where no registry answers
`--build-context`, as docs/self-contained-build.md says.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import docker
import pytest

from scripts.build import root_image
from scripts.common import settings
from scripts.engine import buildx, images
from scripts.image import read_layers
from tests.conftest import ROOT
from tests.support.names import LISTED

# folder, Dockerfile, image in the documentation; :prod where no tag is named
SERVICES = {
    service.name: (".", f"packages/{service.folder}/Dockerfile.prod", service.name)
    for service in LISTED
}
FAST = (
    ("base-images", "python-prod.Dockerfile", "sutra-base-python"),
    ("base-images", "rust-runtime-prod.Dockerfile", "sutra-base-rust-runtime"),
    SERVICES.pop("sutra-api"),
)
LONG = (
    ("base-images", "python-dev.Dockerfile", "sutra-base-python:latest"),
    ("base-images", "rust-dev.Dockerfile", "sutra-base-rust:latest"),
    *SERVICES.values(),
)
COMMANDS = (*FAST, *(pytest.param(*words, marks=pytest.mark.long) for words in LONG))


@pytest.fixture(scope="module")
def closed_network(client: docker.DockerClient) -> list[str]:
    """The options that a place without a registry, or with a private CA, adds."""
    options = []
    if bundle := settings.ca_bundle({}):
        options += ["--secret", f"id=ca,src={bundle}"]
    image = root_image.root_image(buildx.bake_plan(["bases"], {}))
    if context := root_image.context(client, image):
        options += ["--build-context", f"{image}={context}"]
    return options


@pytest.fixture
def prerequisites(request: pytest.FixtureRequest, image: str) -> None:
    """What the plain command starts from, and what its image is compared with."""
    is_fast = image in {name for _, _, name in FAST}
    request.getfixturevalue("toolchain" if is_fast else "development")


@pytest.fixture
def tag(client: docker.DockerClient) -> Iterator[str]:
    """A tag that only this test uses, so that :prod stays the verified image."""
    name = f"sutra-test-plain-{os.getpid()}:plain"
    yield name
    images.untag(client, name)


@pytest.mark.parametrize(("folder", "dockerfile", "image"), COMMANDS)
def test_a_plain_docker_build_gives_the_same_files(
    client: docker.DockerClient,
    production: object,
    prerequisites: None,
    closed_network: list[str],
    tag: str,
    folder: str,
    dockerfile: str,
    image: str,
) -> None:
    reference = image if ":" in image else f"{image}:prod"
    command = [buildx.find_client(), "build", "-f", dockerfile, "-t", tag, *closed_network, "."]
    done = subprocess.run(command, cwd=ROOT / folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    plain, baked = read_layers.measure(client, tag), read_layers.measure(client, reference)
    assert plain
    assert baked
    # bytecode and binaries are built again, and differ only by their time stamps
    assert plain.installed == pytest.approx(baked.installed, rel=0.001)
    assert len(plain.layers) == len(baked.layers)
