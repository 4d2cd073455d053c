"""A fault of a base or a mirror is reported in one line, and nothing is tagged."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import docker
import pytest

from scripts.build import bake as build
from scripts.common.errors import SutraError
from tests.alpine import mirror
from tests.alpine.mirror import REPOSITORY
from tests.alpine.rig import make
from tests.alpine.rig.make import Rig

# target that soon needs the mirror, and little else
TARGET = "sutra-base-rust-runtime"


class Refused(Protocol):
    def __call__(self, address: str, target: str = TARGET) -> SutraError:
        """Return how `make build` fails with that mirror; no tag may have moved or stayed."""


class Broken(Protocol):
    def __call__(
        self, folder: Path, handler: type[mirror.Handler] = ..., target: str = ...
    ) -> tuple[str, SutraError]:
        """Serve `folder` as a mirror; return its address, and how `make build` fails with it."""


@pytest.fixture
def refused(
    client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch, settings: Mapping[str, str]
) -> Refused:
    monkeypatch.setattr(
        build, "root_variable", lambda *_: {"ROOT_CONTEXT": settings["ROOT_CONTEXT"]}
    )

    def call(address: str, target: str = TARGET) -> SutraError:
        changed = {**settings, "ALPINE_MIRROR": address}
        monkeypatch.setattr(build, "variables", lambda environment: changed)
        before = tags(client)
        with pytest.raises(SutraError) as caught:
            build.build(client, [target], {})
        assert tags(client) == before
        return caught.value

    return call


@pytest.fixture
def broken(refused: Refused, bridge: str) -> Broken:
    def call(
        folder: Path, handler: type[mirror.Handler] = mirror.Handler, target: str = TARGET
    ) -> tuple[str, SutraError]:
        name = os.urandom(8).hex()  # an address that no cache knows
        with mirror.serving(folder, bridge, name, handler) as address:
            return address, refused(address, target)

    return call


def tags(client: docker.DockerClient) -> dict[str, str]:
    return {tag: str(image.id) for image in client.images.list(TARGET) for tag in image.tags}


def index_of(address: str, repository: str) -> str:
    return f"{address}/v3.23/{repository}/x86_64/APKINDEX.tar.gz"


@pytest.fixture
def repository(rig: Rig, tmp_path: Path) -> Path:
    """A copy of the repository by hard links: a test must write a new file for every change."""
    copy = tmp_path / "repository"
    shutil.copytree(rig.repository, copy, copy_function=os.link)
    return copy


@pytest.mark.parametrize("verb", ["build", "verify_sizes"])
def test_a_base_that_no_stage_is_for(verb: str) -> None:
    """The message comes whether an engine runs or not."""
    for more in ({}, {"DOCKER_HOST": "unix:///nothing.sock"}):
        done = subprocess.run(
            [sys.executable, "-m", "scripts", verb.replace("_", "-")],
            env={**os.environ, "BASE": "fedora", **more},
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == 'BASE: unknown "fedora"\ntip: choose one of debian, alpine\n'


@pytest.mark.long
def test_a_mirror_that_answers_404(broken: Broken, tmp_path: Path) -> None:
    address, error = broken(tmp_path)
    assert error.message == (
        f'build: ALPINE_MIRROR: "{address}": no index, HTTP 404: Not Found: '
        f'"{index_of(address, "main")}"'
    )
    assert error.tip == "check the address, and that it has the folder of this ALPINE_VERSION"


@pytest.mark.long
def test_a_mirror_without_one_of_the_two_indexes(broken: Broken, repository: Path) -> None:
    """apk itself only warns, and installs from the other repository."""
    shutil.rmtree(repository / "community")
    address, error = broken(repository)
    assert error.message == (
        f'build: ALPINE_MIRROR: "{address}": no index, HTTP 404: Not Found: '
        f'"{index_of(address, "community")}"'
    )


@pytest.mark.long
def test_a_mirror_that_nobody_serves(refused: Refused, bridge: str) -> None:
    address = f"http://{bridge}:9"
    assert refused(address).message == (
        f'build: ALPINE_MIRROR: "{address}": no index, Connection refused: '
        f'"{index_of(address, "main")}"'
    )


@pytest.mark.long
@pytest.mark.parametrize("options", ["", "--sign-key /keys/other.rsa"])
def test_an_index_that_no_key_of_the_root_image_signed(
    client: docker.DockerClient,
    broken: Broken,
    repository: Path,
    bases: Mapping[str, str],
    options: str,
) -> None:
    index_again(client, repository, options, "*.apk")
    address, error = broken(repository)
    assert error.message == (
        f'build: ALPINE_MIRROR: "{address}": index is not signed by a key of the root image, '
        f'UNTRUSTED signature: "{index_of(address, "main")}"'
    )
    assert error.tip == (
        "a mirror serves Alpine's own indexes as they are; a repository of your own needs its "
        "key in /etc/apk/keys of the root image"
    )


def index_again(client: docker.DockerClient, repository: Path, options: str, packages: str) -> None:
    """Write the index of `main` again, by Alpine's own apk."""
    keys = repository.parent / "keys"
    keys.mkdir()
    key = ["openssl", "genrsa", "-out", str(keys / "other.rsa"), "2048"]
    subprocess.run(key, check=True, capture_output=True)
    shutil.copy(make.CACHE / "key.rsa", keys / "sutra-test.rsa")
    folder = repository / "main" / "x86_64"
    (folder / "APKINDEX.tar.gz").unlink()
    command = (
        f"cd /main && /sbin/apk mkndx --allow-untrusted {options} -o APKINDEX.tar.gz {packages}"
    )
    volumes = {str(folder): {"bind": "/main"}, str(keys): {"bind": "/keys"}}
    client.containers.run(
        f"{REPOSITORY}/sutra-base-rust-runtime:test",
        ["sh", "-c", command],
        user="0:0",
        remove=True,
        volumes=volumes,
        network_mode="none",
    )


@pytest.mark.long
def test_a_mirror_that_stops_half_way(broken: Broken, rig: Rig) -> None:
    address, error = broken(rig.repository, mirror.CutHandler)
    assert re.fullmatch(
        re.escape(f'build: ALPINE_MIRROR: "{address}": apk failed, ca-certificates-')
        + r"[\w.-]+: failed to extract \S+: Connection aborted",
        error.message,
    )
    assert error.tip == "apk's own lines are above; try again, or another mirror"


@pytest.mark.long
def test_an_alpine_without_python(
    client: docker.DockerClient, broken: Broken, repository: Path, bases: Mapping[str, str]
) -> None:
    index_again(client, repository, "--sign-key /keys/sutra-test.rsa", "[!p]*.apk")
    address, error = broken(repository, target="sutra-base-python")
    assert error.message == (
        f'build: ALPINE_MIRROR: "{address}": no package "python3" for Alpine Linux v3.23'
    )
    assert error.tip == "choose another ALPINE_VERSION, or a mirror that is complete"


def test_a_python_that_is_too_old() -> None:
    """Run with a supported one: the oldest that the locks allow is newer than this project's."""
    script = Path("base-images/lib/require-python.py").read_text()
    running = ".".join(map(str, sys.version_info[:2]))
    wanted = f"OLDEST = ({sys.version_info[0]}, {sys.version_info[1] + 1})"
    changed = re.sub(r"OLDEST = .*", wanted, script)
    done = subprocess.run([sys.executable, "-c", changed], capture_output=True, text=True)
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f'sutra: ALPINE_VERSION: Python {running} in "{system}", '
        f"3.{sys.version_info[1] + 1} or newer is needed\n"
        "tip: choose a newer one, such as ALPINE_VERSION=3.23\n"
    )
