"""A library that a service brings along is in the record of Alpine's packages."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from scripts.checks.contents.rule import Subject
from scripts.checks.contents.rules_package_records import records
from scripts.common import settings as knobs
from scripts.engine import buildx, images
from scripts.image import inventory
from scripts.image.inventory import Inventory
from tests.alpine.mirror import REPOSITORY

pytestmark = pytest.mark.long
REFERENCE = f"{REPOSITORY}/runtime-libs:test"
# a requested library, and one that the runtime has already, which stays out
DOCKERFILE = """\
FROM alpine:3.23 AS builder
ARG ALPINE_MIRROR
RUN --mount=type=bind,from=lib,source=apk.sh,target=/lib/sutra/apk.sh \\
    --mount=type=secret,id=ca \\
    /lib/sutra/apk.sh add libuuid
RUN --mount=type=bind,from=lib,source=runtime-libs.sh,target=/usr/local/bin/runtime-libs \\
    --mount=type=bind,from=alpine:3.23,target=/base \\
    runtime-libs /runtime {libraries}
FROM alpine:3.23
COPY --from=builder /runtime /
"""


def baked(folder: Path, settings: Mapping[str, str], libraries: str) -> tuple[int, str]:
    """Build an image that brings these libraries along; return the exit code and the output."""
    (folder / "Dockerfile").write_text(DOCKERFILE.format(libraries=libraries))
    command = [
        buildx.find_client(),
        "buildx",
        "build",
        "--progress",
        "plain",
        "--tag",
        REFERENCE,
        "--output",
        "type=docker",
        "--build-context",
        "lib=base-images/lib",
        "--build-context",
        f"alpine:3.23={settings['ROOT_CONTEXT']}",
        "--build-arg",
        f"ALPINE_MIRROR={settings['ALPINE_MIRROR']}",
        str(folder),
    ]
    if bundle := knobs.ca_bundle({}):
        command += ["--secret", f"id=ca,src={bundle}"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stderr


@pytest.fixture
def image(
    client: docker.DockerClient, settings: Mapping[str, str], tmp_path: Path
) -> Iterator[Inventory]:
    code, said = baked(tmp_path, settings, "libuuid.so.1 libz.so.1")
    assert code == 0, said[-2000:]
    contents = inventory.read(client, REFERENCE, tmp_path / "layers")
    assert contents is not None
    yield contents
    images.untag(client, REFERENCE)


def test_it_belongs_to_its_package(client: docker.DockerClient, image: Inventory) -> None:
    last = {entry.path for entry in image.layers[-1].entries if entry.kind in ("file", "symlink")}
    database = "lib/apk/db/installed"
    (library,) = (path for path in last if image.files[path].kind == "file" and path != database)
    assert library.startswith("usr/lib/libuuid.so.1.")
    assert last - {"usr/lib/libz.so.1"} == {library, "usr/lib/libuuid.so.1", database}
    owner = image.owners()[library]
    assert (owner.kind, owner.name, owner.version[:2]) == ("alpine", "libuuid", "2.")
    # every other package is recorded as before, once
    packages = [
        [line for line in (layer.texts.get(database) or "").splitlines() if line.startswith("P:")]
        for layer in (image.layers[0], image.layers[-1])
    ]
    assert packages[1] == [*packages[0], "P:libuuid"]
    installed = client.containers.run(REFERENCE, ["apk", "info", "-e", "libuuid"], remove=True)
    assert installed == b"libuuid\n"


def test_the_content_rules_find_its_record(image: Inventory) -> None:
    (library,) = (path for path in image.files if "/libuuid.so.1." in path)
    paths = [finding.path for finding in records(Subject("sutra-api", image))]
    assert [path for path in paths if "libuuid" in path] == []
    # without this record it would belong to no package
    database = "lib/apk/db/installed"
    first, last = image.layers[0], image.layers[-1]
    without = replace(image, layers=(first, replace(last, texts={database: first.texts[database]})))
    paths = [finding.path for finding in records(Subject("sutra-api", without))]
    assert library in paths


def test_a_library_that_no_package_has_is_refused(
    settings: Mapping[str, str], tmp_path: Path
) -> None:
    code, said = baked(tmp_path, settings, "libnone.so.9")
    assert code != 0
    assert 'runtime-libs: no such library "libnone.so.9"' in said
