"""Reading and tagging share one way to a registry: its trust and its logins."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scripts.common.errors import RegistryError, SutraError
from scripts.oci import registry, registry_session
from scripts.oci.registry_session import Request, Session
from scripts.oci.registry_tags import Registry
from tests.unit.oci.test_registry_tags import CLIENT, DIGEST, KIND, MANIFEST, Server, server

__all__ = ["server"]  # a fixture
LATEST = Request("GET", "/v2/team/api/manifests/latest", "team/api")


@pytest.fixture(autouse=True)
def _own_logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ~/.netrc with a login for every host, and Docker's own file without any."""
    (tmp_path / "netrc").write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))


def read(server: Server) -> None:
    with pytest.raises(SutraError, match="layers: missing"):  # the manifest names no image
        registry.find(f"{server.address}/team/api:latest")


def ask_for_a_tag(server: Server) -> None:
    assert Registry(CLIENT, f"{server.address}/team").tags("api") == {"latest"}
    target = Registry(CLIENT, f"{server.address}/team")
    assert target.digest(target.reference("api", "latest")) == DIGEST


@pytest.mark.parametrize("ask", [read, ask_for_a_tag])
def test_no_login_of_netrc_is_sent(server: Server, ask: object) -> None:
    server.manifests["/v2/team/api/manifests/latest"] = MANIFEST
    server.answers["/v2/team/api/tags/list"] = (200, {}, json.dumps({"tags": ["latest"]}).encode())
    assert callable(ask)
    ask(server)
    assert server.seen
    assert {sent for _, _, sent in server.seen} == {""}


def session(server: Server, host: str = "", insecure: bool = True) -> Session:
    return Session(host or server.address, "pull", insecure, server.address)


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b"[]",
        b"{}",
        b"5",
        b"\xff",
        b'{"token": null}',
        b'{"token": 5}',
        b'{"token": {"a": 1}}',
        b'{"token": "two words"}',
        b'{"token": "\\ud800"}',
        b'{"token": "a\\nb"}',
        b'{"access_token": "\\u00e9"}',
    ],
)
def test_a_token_of_another_form_is_one_of_the_expected_errors(
    server: Server, token: bytes
) -> None:
    server.tokens = True
    server.answers["/token"] = (200, {}, token)
    with pytest.raises(registry_session.FORM):
        session(server).read(LATEST)
    with pytest.raises(RegistryError, match=r'^registry: ".*": its answer cannot be read$'):
        registry.find(f"{server.address}/team/api:latest")


@pytest.mark.parametrize(
    ("realm", "host", "insecure", "sent"),
    [
        ("https://auth.example.org/token", "r.example.org", False, True),
        ("http://auth.example.org/token", "r.example.org", False, False),
        ("http://auth.example.org/token", "127.0.0.1:5000", True, False),
        ("http://127.0.0.1:5001/token", "127.0.0.1:5000", True, True),
        ("http://lab.example.org/token", "lab.example.org", True, True),
        ("http://lab.example.org/token", "lab.example.org", False, False),
        ("file:///etc/passwd", "lab.example.org", True, False),
    ],
)
def test_a_login_goes_in_clear_over_no_network(
    realm: str, host: str, insecure: bool, sent: bool
) -> None:
    assert Session(host, "pull", insecure)._may_send_to(realm) is sent


def test_certificates_of_the_engine_are_trusted_by_what_reads_too(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_session, "CERTIFICATES", tmp_path)
    folder = tmp_path / server.address
    folder.mkdir()
    (folder / "ca.crt").write_text("")
    _, repository = _read_manifest(server)
    assert repository.session._session.verify == str(folder / "ca.crt")


def _read_manifest(server: Server) -> tuple[object, registry.Repository]:
    repository = registry.Repository("x", "team/api", session(server))
    server.manifests["/v2/team/api/manifests/latest"] = MANIFEST
    answer, body = repository.session.read(LATEST)
    assert (body, answer.headers["Content-Type"]) == (MANIFEST, KIND)
    return body, repository


@pytest.mark.parametrize(
    ("url", "used"),
    [
        ("https://r.example.org/v2/", True),
        ("https://inside.example.org/v2/", False),
        ("https://127.0.0.1:5000/v2/", False),
        ("http://localhost/v2/", False),
        ("https://[::1]:5000/v2/", False),
    ],
)
def test_proxies_are_the_environments_and_none_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, url: str, used: bool
) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://proxy.example.org:3128")
    monkeypatch.setenv("no_proxy", "inside.example.org")
    assert (registry_session.proxies(url).get("https") is not None) is used


def test_a_redirection_that_is_no_address(server: Server) -> None:
    server.answers["/v2/team/api/manifests/latest"] = (307, {"Location": "http://[::1"}, b"")
    where = f'registry: "{server.address}/team/api:latest"'
    with pytest.raises(RegistryError, match=re.escape(f"{where}: its answer cannot be read")):
        registry.find(f"{server.address}/team/api:latest")
