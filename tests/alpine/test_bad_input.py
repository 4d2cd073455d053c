"""What is wrong with a base or a mirror is said in one line, and nothing is tagged."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest

from scripts import build
from scripts.errors import SutraError
from tests.alpine.conftest import REPOSITORY
from tests.alpine.rig import make, mirror
from tests.alpine.rig.make import Rig

# what needs the mirror first, and least else
TARGET = "sutra-base-rust-runtime"
PACKAGE = "libgcc-14.2.0-r0.apk"


def refusal(
    client: docker.DockerClient,
    monkeypatch: pytest.MonkeyPatch,
    settings: Mapping[str, str],
    target: str = TARGET,
) -> SutraError:
    """Return how `make build` fails with these settings; no tag may have moved or stayed."""
    monkeypatch.setattr(build, "variables", lambda environment: dict(settings))
    monkeypatch.setattr(
        build, "root_variable", lambda client, plan: {"ROOT_CONTEXT": settings["ROOT_CONTEXT"]}
    )
    before = tags(client)
    with pytest.raises(SutraError) as caught:
        build.build(client, [target], {})
    assert tags(client) == before
    return caught.value


def tags(client: docker.DockerClient) -> dict[str, str]:
    return {tag: image.id for image in client.images.list(TARGET) for tag in image.tags}


@contextmanager
def broken_mirror(
    rig: Rig, bridge: str, folder: Path, handler: type[mirror.Handler] = mirror.Handler
) -> Iterator[str]:
    """A mirror of `folder`, at an address that no cache knows."""
    name = f"{os.urandom(8).hex()}"
    with mirror.serving(folder, bridge, name, handler) as address:
        yield address


@pytest.fixture
def repository(rig: Rig, tmp_path: Path) -> Path:
    """A copy of the repository, by hard links: what a test changes, it writes anew."""
    copy = tmp_path / "repository"
    shutil.copytree(rig.repository, copy, copy_function=os.link)
    return copy


def replace(file: Path, data: bytes) -> None:
    file.unlink()
    file.write_bytes(data)


def test_a_base_that_no_stage_is_for(tmp_path: Path) -> None:
    for call in (["build"], ["verify_sizes"]):
        done = subprocess.run(
            [".venv/bin/python", "-m", f"scripts.{call[0]}"],
            env={**os.environ, "BASE": "fedora"},
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == 'BASE: unknown "fedora"\ntip: choose one of debian, alpine\n'


def test_a_mirror_that_answers_404(
    client: docker.DockerClient,
    monkeypatch: pytest.MonkeyPatch,
    settings: Mapping[str, str],
    rig: Rig,
    bridge: str,
    tmp_path: Path,
) -> None:
    with broken_mirror(rig, bridge, tmp_path) as address:
        error = refusal(client, monkeypatch, {**settings, "ALPINE_MIRROR": address})
    index = f"{address}/v3.23/main/x86_64/APKINDEX.tar.gz"
    assert error.message == (
        f'build: ALPINE_MIRROR: "{address}": no index, HTTP 404: Not Found: "{index}"'
    )
    assert error.tip == "check the address, and that it has the folder of this ALPINE_VERSION"


def test_a_mirror_without_one_of_the_two_indexes(
    client: docker.DockerClient,
    monkeypatch: pytest.MonkeyPatch,
    settings: Mapping[str, str],
    rig: Rig,
    bridge: str,
    repository: Path,
) -> None:
    """apk itself only warns, and takes what it finds in the other."""
    shutil.rmtree(repository / "community")
    with broken_mirror(rig, bridge, repository) as address:
        error = refusal(client, monkeypatch, {**settings, "ALPINE_MIRROR": address})
    index = f"{address}/v3.23/community/x86_64/APKINDEX.tar.gz"
    assert error.message == (
        f'build: ALPINE_MIRROR: "{address}": no index, HTTP 404: Not Found: "{index}"'
    )


def test_a_mirror_that_nobody_serves(
    client: docker.DockerClient,
    monkeypatch: pytest.MonkeyPatch,
    settings: Mapping[str, str],
    bridge: str,
) -> None:
    address = f"http://{bridge}:9"
    error = refusal(client, monkeypatch, {**settings, "ALPINE_MIRROR": address})
    index = f"{address}/v3.23/main/x86_64/APKINDEX.tar.gz"
    assert (
        error.message
        == f'build: ALPINE_MIRROR: "{address}": no index, Connection refused: "{index}"'
    )


@pytest.mark.parametrize("options", ["", "--sign-key /keys/other.rsa"])
def test_an_index_that_no_key_of_the_root_image_signed(
    client: docker.DockerClient,
    monkeypatch: pytest.MonkeyPatch,
    settings: Mapping[str, str],
    rig: Rig,
    bridge: str,
    repository: Path,
    bases: Mapping[str, str],
    options: str,
) -> None:
    index_again(client, repository, options, "*.apk")
    with broken_mirror(rig, bridge, repository) as address:
        error = refusal(client, monkeypatch, {**settings, "ALPINE_MIRROR": address})
    index = f"{address}/v3.23/main/x86_64/APKINDEX.tar.gz"
    assert error.message == (
        f'build: ALPINE_MIRROR: "{address}": index is not signed by a key of the root image, '
        f'UNTRUSTED signature: "{index}"'
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
        f"{REPOSITORY}/sutra-base-rust-runtime:test", ["sh", "-c", command], user="0:0",
        remove=True, volumes=volumes, network_mode="none",
    )  # fmt: skip


def test_a_mirror_that_stops_half_way(
    client: docker.DockerClient,
    monkeypatch: pytest.MonkeyPatch,
    settings: Mapping[str, str],
    rig: Rig,
    bridge: str,
) -> None:
    with broken_mirror(rig, bridge, rig.repository, mirror.CutHandler) as address:
        error = refusal(client, monkeypatch, {**settings, "ALPINE_MIRROR": address})
    assert re.fullmatch(
        re.escape(f'build: ALPINE_MIRROR: "{address}": apk failed, ca-certificates-')
        + r"[\w.-]+: failed to extract \S+: Connection aborted",
        error.message,
    )
    assert error.tip == "apk's own lines are above; try again, or another mirror"


def test_an_alpine_without_python(
    client: docker.DockerClient,
    monkeypatch: pytest.MonkeyPatch,
    settings: Mapping[str, str],
    rig: Rig,
    bridge: str,
    repository: Path,
    bases: Mapping[str, str],
) -> None:
    index_again(client, repository, "--sign-key /keys/sutra-test.rsa", "[!p]*.apk")
    with broken_mirror(rig, bridge, repository) as address:
        changed = {**settings, "ALPINE_MIRROR": address}
        error = refusal(client, monkeypatch, changed, "sutra-base-python")
    assert error.message == (
        f'build: ALPINE_MIRROR: "{address}": no package "python3" for Alpine Linux v3.23'
    )
    assert error.tip == "choose another ALPINE_VERSION, or a mirror that is complete"


def test_a_python_that_is_too_old() -> None:
    """Run by one that is: the oldest of the locks' is newer than this project's own."""
    script = Path("base-images/lib/require-python.py").read_text()
    found = ".".join(map(str, sys.version_info[:2]))
    wanted = f"OLDEST = ({sys.version_info[0]}, {sys.version_info[1] + 1})"
    changed = re.sub(r"OLDEST = .*", wanted, script)
    done = subprocess.run([sys.executable, "-c", changed], capture_output=True, text=True)
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f'sutra: ALPINE_VERSION: Python {found} in "{system}", '
        f"3.{sys.version_info[1] + 1} or newer is needed\n"
        "tip: choose a newer one, such as ALPINE_VERSION=3.23\n"
    )
