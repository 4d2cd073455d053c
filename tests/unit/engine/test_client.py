from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import docker
import pytest
from docker.errors import APIError

from scripts.common.errors import SutraError
from scripts.engine import client as module
from scripts.engine.client import connect, refuse_old
from tests.support import garbage
from tests.unit.engine.stand_ins import TIP, Refusing, Versions, answer, unclosed
from tests.unit.fakes import FakeEngine, program


@pytest.mark.parametrize(
    "version",
    [
        "20.10.5",
        "20.10.5+dfsg1",
        "22.06.0-beta.0",
        "19.03.13",
        "9.9",
        "22.99.99",
        # openSUSE's: https://github.com/beeware/briefcase/issues/1773
        "20.10.17-ce",
        "18.06.3-ce",
    ],
)
def test_an_old_engine_is_refused(version: str) -> None:
    with pytest.raises(SutraError) as caught:
        refuse_old(version)
    assert caught.value.message == (
        f'engine: server.version: too old "{version}", 23 or newer is needed'
    )
    assert caught.value.tip == "upgrade the engine, or point DOCKER_HOST at a newer one"


@pytest.mark.parametrize(
    "version",
    [
        "23",
        "23.0.0",
        "23.0.1",
        "26.1.5+dfsg1",
        "28.2.2",
        "100.0.0",
        "27.0.0-rc.1",
        "24.0.7-ce",
        "dev",
        "master",
        "",
        "library-import",
    ],
)
def test_a_new_engine_or_a_development_build_is_accepted(version: str) -> None:
    refuse_old(version)  # raises nothing


@unclosed
def test_an_engine_that_is_too_old_is_refused(served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", served)
    answer(monkeypatch, "20.10.5")
    with pytest.raises(SutraError) as caught:
        connect()
    assert caught.value.message == (
        'engine: server.version: too old "20.10.5", 23 or newer is needed'
    )
    assert caught.value.tip == "upgrade the engine, or point DOCKER_HOST at a newer one"


@unclosed
def test_an_engine_that_is_new_enough_is_returned(
    served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", served)
    answer(monkeypatch, "28.2.2")
    client = connect(timeout=7)
    assert (client.version()["Version"], client.api.timeout) == ("28.2.2", 7)
    client.close()


@unclosed
@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("unix:///nonexistent.sock", "[Errno 2] No such file or directory"),
        ("tcp://127.0.0.1:1", "[Errno 111] Connection refused"),
        ("foo://bar", "Invalid bind address protocol: foo://bar"),
    ],
)
def test_no_engine_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, host: str, reason: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with garbage.collected():
        with pytest.raises(SutraError) as caught:
            connect()
        assert caught.value.message == f"engine: no answer ({reason})"
        assert caught.value.tip == TIP
        del caught  # its traceback has the connection


@unclosed
@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("tcp://host:port", "Port could not be cast to integer value as 'port'"),
        ("tcp://[::1", "Invalid IPv6 URL"),
    ],
)
def test_a_docker_host_that_is_not_an_address_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, host: str, reason: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(SutraError) as caught:
        connect()
    assert caught.value.message == f"engine: no answer ({reason})"
    assert caught.value.tip == TIP


@unclosed
def test_an_engine_over_ssh_names_the_package_that_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr("docker.api.client.SSHHTTPAdapter", raising=False)
    monkeypatch.setenv("DOCKER_HOST", "ssh://build.example")
    with pytest.raises(SutraError) as caught:
        connect()
    assert caught.value.message == (
        "engine: no answer (Install paramiko package to enable ssh:// support)"
    )
    assert caught.value.tip == TIP


@unclosed
def test_docker_host_comes_with_its_certificates(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Certificates come from DOCKER_CERT_PATH; without it an address would be tried in clear."""
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).touch()
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    with pytest.raises(SutraError) as caught:
        connect()
    assert caught.value.message == (
        "engine: no answer (Invalid CA certificate provided for `ca_cert`.. TLS configurations "
        "should map the Docker CLI client configurations. "
        "See https://docs.docker.com/engine/articles/https/ for API details.)"
    )
    assert caught.value.tip == TIP


@unclosed
def test_docker_host_comes_before_the_context_of_the_client(
    served: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(tmp_path, "docker", "echo unix:///nonexistent.sock\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", served)
    answer(monkeypatch, "28.2.2")
    client = connect()
    assert client.version()["Version"] == "28.2.2"
    client.close()


@unclosed
def test_an_empty_docker_host_counts_as_unset(
    served: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(tmp_path, "docker", f"echo {served}\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", "")
    answer(monkeypatch, "28.2.2")
    client = connect(timeout=7)
    assert (client.version()["Version"], client.api.timeout) == ("28.2.2", 7)
    client.close()


@unclosed
@pytest.mark.parametrize("content", [b"{}", b"no JSON", b"[]"])
def test_a_server_that_is_not_an_engine_is_one_clear_line(
    served: str, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setenv("DOCKER_HOST", served)
    monkeypatch.setattr(Versions, "answer", content)
    with pytest.raises(SutraError) as caught:
        connect()
    assert caught.value.tip == TIP


def test_the_disk_of_an_engine_behind_a_socket_is_here(tmp_path: Path) -> None:
    assert module.local_disk(FakeEngine(str(tmp_path))) == tmp_path


def test_a_folder_that_cannot_be_looked_at_is_not_a_local_disk() -> None:
    """It may be below one that is closed to this user; root is refused for a long name alone."""
    assert module.local_disk(FakeEngine("/" + "x" * 300)) is None


def test_a_missing_folder_is_not_a_local_disk(tmp_path: Path) -> None:
    """The engine runs in a virtual machine, whose socket is passed on."""
    assert module.local_disk(FakeEngine(f"{tmp_path}/absent")) is None


@pytest.mark.parametrize("address", ["http://build.example:2375", "https://10.0.0.1:2376"])
def test_a_remote_engine_has_no_local_disk(tmp_path: Path, address: str) -> None:
    client = FakeEngine(str(tmp_path))
    client.base_url = address
    assert module.local_disk(client) is None


@unclosed
@pytest.mark.parametrize(("host", "local"), [("unix:///run/x.sock", True), ("tcp://a:1", False)])
def test_clients_of_sockets_have_the_address_that_is_looked_for(host: str, local: bool) -> None:
    with garbage.collected():
        client = docker.DockerClient(base_url=host, version="1.44")
        assert client.api.base_url.startswith("http+docker://") is local
        client.close()


def test_an_engine_that_does_not_describe_itself_is_one_clear_line() -> None:
    refusing = Refusing(APIError("500", explanation="shutting down"))
    with pytest.raises(SutraError) as caught:
        module.local_disk(refusing)
    assert caught.value.message == "engine: cannot describe itself: shutting down"
    assert caught.value.tip == TIP


def test_importing_the_modules_needs_no_engine() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            "import scripts.commands.prod, scripts.commands.roots",
        ],
        cwd=Path(module.__file__).parents[2],
        env={**os.environ, "DOCKER_HOST": "unix:///nonexistent.sock"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
