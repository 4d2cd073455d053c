"""A registry on loopback: the requests to it, its refusals, and the attacks that must fail."""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.checks.sizes import measure
from scripts.common.check_result import CheckResult
from scripts.common.errors import SutraError
from scripts.image import inventory, read_layers
from scripts.oci import registry, registry_session, sources
from tests.support import deadline
from tests.support.oci import INDEX, LAYER, Blobs
from tests.support.results import flat
from tests.support.running import served
from tests.unit.fakes import digest, tar_of

BASE = tar_of({"a": b"x" * 100})
PACKED = gzip.compress(BASE, mtime=0)
LOGIN = base64.b64encode(b"me:secret").decode()


class Server(ThreadingHTTPServer):
    """Blobs and manifests; `auth` is "", "basic" or "bearer"."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.blobs = Blobs()
        self.tags: dict[str, str] = {}
        self.auth = self.realm = ""
        self.cut = self.drips = False
        self.paths: list[str] = []

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.paths.append(self.path.partition("?")[0])
        header = self.headers.get("Authorization", "")
        if self.path.startswith("/token"):
            well = (
                header == f"Basic {LOGIN}" and "scope=repository%3Ateam%2Fapi%3Apull" in self.path
            )
            self.answer(200 if well else 401, b'{"token": "abc"}')
        elif self.server.auth == "basic" and header != f"Basic {LOGIN}":
            self.answer(401, b"{}", "Basic realm=x")
        elif self.server.auth == "bearer" and header != "Bearer abc":
            realm = self.server.realm or f"http://{self.server.host}/token"
            self.answer(401, b"{}", f'Bearer realm="{realm}",service="s"')
        else:
            self.content()

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.answer(200 if "refresh_token=long-lived" in form else 401, b'{"access_token": "abc"}')

    def content(self) -> None:
        kind, _, name = self.path.removeprefix("/v2/team/api/").partition("/")
        data = self.server.blobs.get(self.server.tags.get(name, name))
        if data is None or not self.path.startswith("/v2/team/api/"):
            self.answer(404, b"{}")
        elif kind == "manifests" and "vnd.oci.image.index" not in self.headers["Accept"]:
            self.answer(406, b"{}")
        else:
            self.answer(200, data)

    def answer(self, status: int, data: bytes, challenge: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.end_headers()
        if self.server.drips and status == 200:
            return self.drip(data)
        self.wfile.write(data[:20] if self.server.cut else data)
        self.close_connection = self.server.cut

    def drip(self, data: bytes) -> None:
        """Send a byte at a time, for at most 10 s."""
        self.close_connection = True
        with suppress(OSError):
            for place in range(50):
                if not self.server.drips:
                    break
                self.wfile.write(data[place : place + 1])
                time.sleep(0.2)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    fake = Server()
    manifest = fake.blobs.image([BASE], [PACKED], LAYER + "+gzip")
    fake.tags["1"] = manifest["digest"]
    with served(fake), deadline.left_to_themselves():
        yield fake
        fake.drips = False


def test_a_document_that_drips(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_session, "WHOLE_SECONDS", 1)
    server.drips = True
    started = time.monotonic()
    with pytest.raises(SutraError) as caught:
        registry.find(f"{server.host}/team/api:1")
    assert time.monotonic() - started < 5
    assert caught.value.message == (f'registry: "{server.host}/team/api:1": no whole answer in 1 s')


def test_a_layer_that_drips(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    document, repository = registry.find(f"{server.host}/team/api:1")
    monkeypatch.setattr(registry_session, "WHOLE_SECONDS", 1)
    server.drips = True
    started = time.monotonic()
    layers = registry.blobs(document, repository, {})
    assert isinstance(layers, Generator)
    _, body = next(layers)
    with pytest.raises(SutraError) as caught:
        body.read(1 << 20)
    layers.close()
    assert time.monotonic() - started < 5
    assert caught.value.message == (f'registry: "{server.host}/team/api:1": no whole layer in 1 s')


def log_in(folder: Path, host: str, **more: str) -> None:
    (folder / "docker").mkdir()
    held = more or {"auth": LOGIN}
    (folder / "docker" / "config.json").write_text(json.dumps({"auths": {host: held}}))


def reference(server: Server, tag: str = ":1") -> str:
    return f"registry:{server.host}/team/api{tag}"


def refused(wanted: str, cache: Path) -> tuple[str, str]:
    with pytest.raises(SutraError) as caught:
        read_layers.measure(None, wanted, cache)
    return caught.value.message, caught.value.tip


def test_an_image_is_read(server: Server, tmp_path: Path) -> None:
    image = inventory.read(None, reference(server), tmp_path)
    assert image
    assert (image.id, list(image.files)) == (server.tags["1"], ["a"])
    assert server.paths[-1] == f"/v2/team/api/blobs/{digest(PACKED)}"


def test_the_download_size_takes_no_layer(server: Server, tmp_path: Path) -> None:
    image = Image("api", Budget(1, len(PACKED) - 1))
    promises = Catalog(Path("images.yaml"), (image,), Budget(1, 1))
    wanted = reference(server)
    results = measure.verify_one(None, promises, image, wanted, tmp_path, "download")
    assert flat(results) == [
        CheckResult(
            "api",
            "download",
            False,
            len(PACKED),
            len(PACKED) - 1,
            'images.yaml: images.api.budget.download: over budget "0.0 MB", '
            "0.0 MB allowed (+1 bytes)",
        )
    ]
    assert len(server.paths) == 2
    assert not any(digest(PACKED) in path for path in server.paths)


def test_a_cache_vouches_for_no_layer_of_a_registry(server: Server, tmp_path: Path) -> None:
    measured = read_layers.measure(None, reference(server), tmp_path)
    assert measured
    assert read_layers.measure(None, reference(server), tmp_path) == measured
    server.blobs[digest(PACKED)] = bytes(len(PACKED))
    message, _ = refused(reference(server), tmp_path)
    assert message == (
        f'registry: "{server.host}/team/api:1": layer is damaged: '
        f"content is not that of {digest(PACKED)}"
    )


def test_a_digest_names_an_image_as_a_tag_does(server: Server, tmp_path: Path) -> None:
    measured = read_layers.measure(None, reference(server, f"@{server.tags['1']}"), tmp_path)
    assert measured
    assert measured.id == server.tags["1"]


def test_latest_is_meant_where_no_tag_is_named(server: Server, tmp_path: Path) -> None:
    server.tags["latest"] = server.tags["1"]
    assert read_layers.measure(None, reference(server, ""), tmp_path)


def test_a_manifest_list_with_an_attestation(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_DEFAULT_PLATFORM", "linux/arm64")
    arm = server.blobs.image([BASE], platform={"os": "linux", "architecture": "arm64"})
    amd = server.blobs.image([], platform={"os": "linux", "architecture": "amd64"})
    noise = {"digest": digest(b""), "platform": {"os": "unknown", "architecture": "unknown"}}
    server.tags["many"] = server.blobs.add({"manifests": [noise, amd, arm]}, INDEX)["digest"]
    measured = read_layers.measure(None, reference(server, ":many"), tmp_path)
    assert measured
    assert (measured.id, measured.installed) == (arm["digest"], 100)


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_a_login_of_docker_is_used(server: Server, tmp_path: Path, auth: str) -> None:
    server.auth = auth
    log_in(tmp_path, server.host)
    measured = read_layers.measure(None, reference(server), tmp_path)
    assert measured
    assert measured.installed == 100


def test_an_identity_token_is_used(server: Server, tmp_path: Path) -> None:
    server.auth = "bearer"
    log_in(tmp_path, server.host, auth=base64.b64encode(b"x:").decode(), identitytoken="long-lived")
    measured = read_layers.measure(None, reference(server), tmp_path)
    assert measured
    assert measured.installed == 100


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_without_a_login_a_private_image_is_refused(
    server: Server, tmp_path: Path, auth: str
) -> None:
    server.auth = auth
    assert refused(reference(server), tmp_path) == (
        f'registry: "{server.host}/team/api:1": 401 Unauthorized for manifests/1',
        "check the name, the network and `docker login`",
    )


def test_a_login_is_not_sent_in_clear_to_where_a_registry_says(
    server: Server, tmp_path: Path
) -> None:
    server.auth, server.realm = "bearer", "http://example.org/token"
    log_in(tmp_path, server.host)
    message, _ = refused(reference(server), tmp_path)
    assert message == f'registry: "{server.host}/team/api:1": 401 Unauthorized for manifests/1'
    assert server.paths == ["/v2/team/api/manifests/1"]


def test_a_missing_image(server: Server, tmp_path: Path) -> None:
    message, tip = refused(reference(server, ":2"), tmp_path)
    assert message == f'registry: "{server.host}/team/api:2": 404 Not Found for manifests/2'
    assert tip == "check the name, the network and `docker login`"


def test_a_layer_that_is_gone(server: Server, tmp_path: Path) -> None:
    del server.blobs[digest(PACKED)]
    message, _ = refused(reference(server), tmp_path)
    where = f'registry: "{server.host}/team/api:1"'
    assert message == f"{where}: 404 Not Found for blobs/{digest(PACKED)}"


def test_an_answer_that_breaks_off(server: Server, tmp_path: Path) -> None:
    server.cut = True
    message, _ = refused(reference(server), tmp_path)
    start = f'registry: "{server.host}/team/api:1": '
    assert message.startswith(start + "IncompleteRead(20 bytes read")


def test_a_layer_that_breaks_off(server: Server, tmp_path: Path) -> None:
    source = sources.find(None, reference(server))
    server.cut = True
    assert source
    with pytest.raises(SutraError) as caught:
        read_layers.layers_of(source, tmp_path)
    start = f'registry: "{server.host}/team/api:1": IncompleteRead(20 bytes read'
    assert caught.value.message.startswith(start)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_a_layer_of_other_bytes(server: Server, tmp_path: Path) -> None:
    server.blobs[digest(PACKED)] = tar_of({"b": b"1"})
    message, _ = refused(reference(server), tmp_path)
    assert message == (
        f'registry: "{server.host}/team/api:1": layer is damaged: '
        f"content is not that of {digest(PACKED)}"
    )


def test_a_manifest_of_other_bytes(server: Server, tmp_path: Path) -> None:
    wanted = server.tags["1"]
    server.blobs[wanted] = b"{}"
    message, _ = refused(reference(server, f"@{wanted}"), tmp_path)
    where = f'registry: "{server.host}/team/api@{wanted}"'
    assert message == f"{where}: content is not that of its digest"


def test_a_manifest_without_end(server: Server, tmp_path: Path) -> None:
    server.blobs["big"] = b" " * ((4 << 20) + 1)
    message, _ = refused(reference(server, ":big"), tmp_path)
    where = f'registry: "{server.host}/team/api:big"'
    assert message == f"{where}: more than 4194304 bytes of JSON"


def test_a_registry_that_does_not_answer(tmp_path: Path) -> None:
    message, tip = refused("registry:127.0.0.1:9/team/api:1", tmp_path)
    assert message == 'registry: "127.0.0.1:9/team/api:1": [Errno 111] Connection refused'
    assert tip == "check the name, the network and `docker login`"


@pytest.mark.parametrize("name", ["x/", "/x", "host/UPPER", "host/a:b:c", "host/a b", "ho st/a"])
def test_a_text_that_is_not_a_reference(tmp_path: Path, name: str) -> None:
    assert refused(f"registry:{name}", tmp_path) == (
        f'registry: not a reference "{name}"',
        "name it as host/name:tag",
    )


@pytest.mark.parametrize(
    ("host", "clear"),
    [
        ("localhost:5000", True),
        ("127.0.0.1", True),
        ("[::1]:5000", True),
        ("127.evil.org", False),
        ("example.org", False),
        ("localhost.example.org", False),
        ("10.0.0.1:5000", False),
    ],
)
def test_only_loopback_is_spoken_to_in_clear(host: str, clear: bool) -> None:
    assert registry_session.is_loopback(host) == clear
