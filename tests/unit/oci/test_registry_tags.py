"""The HTTP calls to a registry in memory: logins by token, and wrong answers."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.common.errors import SutraError
from scripts.engine import logins, registries
from scripts.oci import registry_session, registry_tags
from scripts.oci.registry_tags import CannotDeleteError, Registry
from tests.support import deadline
from tests.support.running import served

KIND = "application/vnd.oci.image.manifest.v1+json"
MANIFEST = b'{"schemaVersion": 2}'
DIGEST = "sha256:" + hashlib.sha256(MANIFEST).hexdigest()
ANEW = (
    "retry; if it persists, the registry was killed while it wrote that tag: "
    "`docker tag api:latest {0}/team/api:latest && docker push {0}/team/api:latest` "
    "writes it again"
)
KEEPERS = "retry, or ask the registry's administrators"


class Server(ThreadingHTTPServer):
    """Answers by path; `tokens` makes it require one; `answers` overrides its answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.manifests: dict[str, bytes] = {}
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.tokens = False
        self.puts: Callable[[str, bytes], bytes | None] = lambda path, body: body
        self.drips = ""
        self.seen: list[tuple[str, str, str]] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.server.seen.append(
            (self.command, self.path, self.headers.get("Authorization") or body.decode())
        )
        path = urlsplit(self.path).path
        if self.server.drips:
            return self.drip()
        if path == "/token" and path not in self.server.answers:
            return self.say(200, json.dumps({"token": "let-me-in"}).encode())
        if (
            path != "/token"
            and self.server.tokens
            and self.headers.get("Authorization") != "Bearer let-me-in"
        ):
            realm = f'Bearer realm="http://{self.server.address}/token",service="test, here"'
            return self.say(401, b"", {"WWW-Authenticate": realm})
        if path in self.server.answers:
            status, headers, content = self.server.answers[path]
            return self.say(status, content, headers)
        if self.command == "PUT":
            if (kept := self.server.puts(path, body)) is not None:
                self.server.manifests[path] = kept
            return self.say(201)
        if self.command == "DELETE":
            document = self.server.manifests.pop(path, None)
            return self.say(404 if document is None else 202)
        document = self.server.manifests.get(path)
        if document is None:
            return self.say(404)
        return self.say(200, document, {"Content-Type": KIND})

    do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = answer  # noqa: N815 # names that http.server asks for

    def say(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def drip(self) -> None:
        """Send the status line, headers, or the body a byte at a time, for at most 10 s."""
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 OK\r\n"[: None if self.server.drips != "status" else 5])
        if self.server.drips == "body":
            self.wfile.write(b"Content-Length: 100\r\n\r\n")
        with suppress(OSError):
            for _ in range(50):
                if not self.server.drips:
                    break
                self.wfile.write(b"x")
                time.sleep(0.2)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def server() -> Iterator[Server]:
    fake = Server()
    with served(fake), deadline.left_to_themselves():
        yield fake
        fake.drips = ""


class Engine:
    """The requests that a registry makes to the engine."""

    api: Any

    def info(self) -> dict[str, Any]:
        return {
            "IndexServerAddress": "https://index.example.org/v1/",
            "RegistryConfig": {
                "InsecureRegistryCIDRs": ["127.0.0.0/8"],
                "IndexConfigs": {
                    "example.org": {"Official": True, "Secure": True},
                    "lab.example.org": {"Secure": False},
                },
            },
        }


CLIENT: Any = Engine()


@pytest.fixture
def target(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    login = base64.b64encode(b"me:secret").decode()
    config = {"auths": {server.address: {"auth": login}}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    return Registry(CLIENT, f"{server.address}/team")


@pytest.mark.parametrize(
    "address",
    [
        "localhost",
        "localhost:5000",
        "localhost:5000/me",
        "127.0.0.1:5000/a/b-c/d_e",
        "[::1]:5000/me",
        "registry.example.org/team",
        "forge:5000/team",
    ],
)
def test_an_address_of_a_registry(address: str) -> None:
    assert registry_tags.check(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "team",
        "team/sutra",
        "https://localhost:5000",
        "localhost:5000/",
        "localhost:5000//me",
        "localhost:5000/Me",
        "localhost:5000/me:latest",
        "localhost:5000/me@sha256",
        "localhost:port/me",
        "localhost/../x",
        "user:secret@localhost/me",
        "localhost:5000/me ",
    ],
)
def test_a_text_that_is_not_an_address_of_a_registry(address: str) -> None:
    with pytest.raises(SutraError) as caught:
        registry_tags.check(address)
    assert caught.value.message == f'REGISTRY: not host/path "{address}"'
    assert caught.value.tip == "such as REGISTRY=localhost:5000/me"


@given(st.text())
def test_any_text_is_an_address_or_one_line(text: str) -> None:
    try:
        said = registry_tags.check(text)
    except SutraError as error:
        said = error.message
    assert said.isprintable()
    assert said


def test_a_tag_is_moved_byte_for_byte(server: Server, target: Registry) -> None:
    server.manifests[f"/v2/team/api/manifests/{DIGEST}"] = MANIFEST
    reference = target.reference("api", "latest")
    assert reference == f"{server.address}/team/api:latest"
    assert target.digest(reference) is None
    target.move(reference, DIGEST)
    assert target.digest(reference) == DIGEST
    assert server.manifests["/v2/team/api/manifests/latest"] == MANIFEST


@pytest.mark.parametrize("kept", [None, b'{"schemaVersion": 3}', MANIFEST + b" "])
@pytest.mark.parametrize("before", [None, b"{}"])
def test_a_tag_that_is_not_kept_as_it_was_put_is_refused(
    server: Server, target: Registry, kept: bytes | None, before: bytes | None
) -> None:
    """201 says only that somebody answered: what is read back counts."""
    place = "/v2/team/api/manifests/latest"
    server.manifests[f"/v2/team/api/manifests/{DIGEST}"] = MANIFEST
    if before:
        server.manifests[place] = before
    server.puts = lambda path, body: kept
    with pytest.raises(SutraError) as caught:
        target.move(target.reference("api", "latest"), DIGEST)
    held = kept or before
    actual = "sha256:" + hashlib.sha256(held).hexdigest() if held else "(none)"
    assert caught.value.message == (
        f'registry: cannot tag "{server.address}/team/api:latest": '
        f"it was put on {DIGEST} and is on {actual}"
    )
    assert caught.value.tip == KEEPERS


def test_a_digest_that_is_gone(server: Server, target: Registry) -> None:
    with pytest.raises(SutraError) as caught:
        target.move(target.reference("api", "latest"), DIGEST)
    assert caught.value.message == (
        f'registry: digest no longer exists "{server.address}/team/api@{DIGEST}"'
    )
    assert caught.value.tip == "`make promote` pushes what is verified again"


def test_a_tag_is_removed_where_the_registry_does_that(server: Server, target: Registry) -> None:
    server.manifests["/v2/team/api/manifests/1.4"] = MANIFEST
    target.remove(target.reference("api", "1.4"))
    assert server.manifests == {}
    target.remove(target.reference("api", "1.4"))  # not there any more


@pytest.mark.parametrize("status", [400, 405])
def test_a_registry_that_removes_no_tags(server: Server, target: Registry, status: int) -> None:
    server.answers["/v2/team/api/manifests/1.4"] = (status, {}, b"")
    with pytest.raises(CannotDeleteError) as caught:
        target.remove(target.reference("api", "1.4"))
    assert caught.value.message == (
        f'registry: does not remove tags "{server.address}/team/api:1.4"'
    )


def test_tags_are_read_page_by_page(server: Server, target: Registry) -> None:
    more = {"Link": '</v2/team/api/tags/page?last=b>; rel="next"'}
    server.answers["/v2/team/api/tags/list"] = (200, more, b'{"tags": ["a", "b"]}')
    server.answers["/v2/team/api/tags/page"] = (200, {}, b'{"tags": ["c"]}')
    assert target.tags("api") == {"a", "b", "c"}
    server.answers["/v2/team/api/tags/page"] = (200, {}, b'{"tags": null}')
    assert target.tags("api") == {"a", "b"}
    assert target.tags("other") == set()


def test_a_list_of_tags_without_an_end(
    server: Server, target: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_tags, "PAGES", 3)
    more = {"Link": '</v2/team/api/tags/list>; rel="next"'}
    server.answers["/v2/team/api/tags/list"] = (200, more, b'{"tags": ["a"]}')
    with pytest.raises(SutraError) as caught:
        target.tags("api")
    assert caught.value.message == (
        f'registry: cannot list the tags of "{server.address}/team/api": it has no end'
    )


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"<html>", b'{"tags": 5}', b"\xff"])
def test_an_invalid_list_of_tags(server: Server, target: Registry, body: bytes) -> None:
    server.answers["/v2/team/api/tags/list"] = (200, {}, body)
    with pytest.raises(SutraError) as caught:
        target.tags("api")
    assert caught.value.message == (
        f'registry: cannot list the tags of "{server.address}/team/api": its answer cannot be read'
    )
    assert caught.value.tip == KEEPERS


def test_a_manifest_that_is_not_what_its_digest_says(server: Server, target: Registry) -> None:
    server.manifests[f"/v2/team/api/manifests/{DIGEST}"] = MANIFEST + b" "
    other = "sha256:" + hashlib.sha256(MANIFEST + b" ").hexdigest()
    with pytest.raises(SutraError) as caught:
        target.move(target.reference("api", "latest"), DIGEST)
    assert caught.value.message == (
        f'registry: cannot read "{server.address}/team/api:{DIGEST}": its bytes are {other}'
    )


def test_an_answer_without_bounds(
    server: Server, target: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_session, "MAX_DOCUMENT", len(MANIFEST))
    reference = target.reference("api", "latest")
    server.manifests["/v2/team/api/manifests/latest"] = MANIFEST
    assert target.digest(reference) == DIGEST
    server.manifests["/v2/team/api/manifests/latest"] = MANIFEST + b" "
    with pytest.raises(SutraError) as caught:
        target.digest(reference)
    assert caught.value.message == (
        "registry: cannot GET /v2/team/api/manifests/latest: more than 20 bytes"
    )


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\0" * 9, b'"x"', b"[" * 99_999])
def test_an_answer_that_is_no_manifest_is_no_tag(
    server: Server, target: Registry, body: bytes
) -> None:
    server.answers["/v2/team/api/manifests/latest"] = (200, {}, body)
    with pytest.raises(SutraError) as caught:
        target.digest(target.reference("api", "latest"))
    assert caught.value.message == (
        f'registry: cannot read "{server.address}/team/api:latest": its answer is no manifest'
    )
    assert caught.value.tip == KEEPERS


@pytest.mark.parametrize(
    ("status", "reason", "tip"),
    [
        (500, "500 Internal Server Error", ANEW),
        (502, "502 Bad Gateway", KEEPERS),
        (429, "429 Too Many Requests", KEEPERS),
        (403, "403 Forbidden", "`docker login {}`, then run the same command again"),
    ],
)
def test_a_registry_that_refuses(
    server: Server, target: Registry, status: int, reason: str, tip: str
) -> None:
    server.answers["/v2/team/api/manifests/latest"] = (status, {}, b"")
    with pytest.raises(SutraError) as caught:
        target.digest(target.reference("api", "latest"))
    assert caught.value.message == (
        f'registry: cannot read "{server.address}/team/api:latest": {reason}'
    )
    assert caught.value.tip == tip.format(server.address)


@pytest.mark.parametrize("part", ["status", "headers", "body"])
def test_an_answer_that_drips(
    server: Server, target: Registry, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """Each byte comes in time, but the last one never comes."""
    monkeypatch.setattr(registry_session, "WHOLE_SECONDS", 1)
    server.drips = part
    started = time.monotonic()
    with pytest.raises(SutraError) as caught:
        target.digest(target.reference("api", "latest"))
    assert time.monotonic() - started < 5
    assert caught.value.message == (
        f'registry: no answer from "{server.address}" (no whole answer in 1 s)'
    )


def test_an_answer_that_is_cut_short(server: Server, target: Registry) -> None:
    server.answers["/v2/team/api/manifests/latest"] = (200, {"Content-Length": "99"}, MANIFEST)
    with pytest.raises(SutraError) as caught:
        target.digest(target.reference("api", "latest"))
    assert caught.value.message.startswith(f'registry: no answer from "{server.address}" (')


# ---- logins ----------------------------------------------------------------


def test_a_token_is_asked_for_with_the_password(server: Server, target: Registry) -> None:
    server.tokens = True
    server.manifests["/v2/team/api/manifests/latest"] = MANIFEST
    assert target.digest(target.reference("api", "latest")) == DIGEST
    [(method, url, sent)] = [request for request in server.seen if request[1].startswith("/token")]
    assert method == "GET"
    assert parse_qs(urlsplit(url).query) == {
        "service": ["test, here"],
        "scope": ["repository:team/api:pull,push"],
    }
    assert sent == "Basic " + base64.b64encode(b"me:secret").decode()
    assert target.digest(target.reference("api", "latest")) == DIGEST
    assert len([request for request in server.seen if request[1].startswith("/token")]) == 1


def test_a_token_is_asked_for_with_an_identity(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setattr(
        logins,
        "credentials",
        lambda host: (logins.TOKEN_USER, "a-token"),
    )
    server.tokens = True
    server.manifests["/v2/api/manifests/latest"] = MANIFEST
    target = Registry(CLIENT, server.address)
    assert target.digest(target.reference("api", "latest")) == DIGEST
    [(method, _, sent)] = [request for request in server.seen if request[1].startswith("/token")]
    assert method == "POST"
    assert parse_qs(sent) == {
        "service": ["test, here"],
        "scope": ["repository:api:pull,push"],
        "grant_type": ["refresh_token"],
        "refresh_token": ["a-token"],
        "client_id": ["sutra"],
    }


def test_another_repository_needs_a_token_of_its_own(server: Server, target: Registry) -> None:
    server.tokens = True
    assert target.digest(target.reference("api", "latest")) is None
    server.answers["/v2/team/hybrid/manifests/latest"] = (
        401,
        {"WWW-Authenticate": f'Bearer realm="http://{server.address}/token"'},
        b"",
    )
    with pytest.raises(SutraError) as caught:
        target.digest(target.reference("hybrid", "latest"))
    assert caught.value.message == (
        f'registry: cannot read "{server.address}/team/hybrid:latest": 401 Unauthorized'
    )
    scopes = [
        parse_qs(urlsplit(url).query)["scope"] for _, url, _ in server.seen if "token?" in url
    ]
    assert scopes == [["repository:team/api:pull,push"], ["repository:team/hybrid:pull,push"]]


@pytest.mark.parametrize(
    "challenge",
    [
        "",
        "Basic",
        "Negotiate abc",
        "Bearer",
        "Bearer realm",
        'Bearer realm="x"',
        "Bearer realm=",
        'Bearer realm="',
        "Bearer =",
        "Bearer ,",
        "Bearer realm=,x",
    ],
)
def test_a_challenge_that_cannot_be_met(server: Server, target: Registry, challenge: str) -> None:
    server.answers["/v2/team/api/manifests/latest"] = (401, {"WWW-Authenticate": challenge}, b"")
    with pytest.raises(SutraError) as caught:
        target.digest(target.reference("api", "latest"))
    assert caught.value.message.startswith("registry: ")
    assert server.address in caught.value.message + caught.value.tip or "GET" in (
        caught.value.message
    )


# ---- whom to trust ---------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "insecure"),
    [
        ("127.0.0.1:5000", True),
        ("localhost", True),
        ("lab.example.org", True),
        ("example.org", False),
        ("192.0.2.1:5000", False),
    ],
)
def test_the_engine_says_which_registry_needs_no_certificate(host: str, insecure: bool) -> None:
    assert registries.is_insecure(CLIENT, host) == insecure


def test_the_engines_own_default_is_served_elsewhere() -> None:
    assert registries.registry_server(CLIENT, "example.org") == "index.example.org"
    assert registries.registry_server(CLIENT, "lab.example.org") == "lab.example.org"


def test_certificates_of_the_engine_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_session, "CERTIFICATES", tmp_path)
    monkeypatch.setattr("scripts.common.settings.SYSTEM_BUNDLES", ())
    assert registry_session.trusted("a.example.org", insecure=False) is True
    assert registry_session.trusted("127.0.0.1:5", insecure=True) is False
    (tmp_path / "127.0.0.1:5").mkdir()
    (tmp_path / "127.0.0.1:5" / "ca.crt").write_text("")
    assert registry_session.trusted("127.0.0.1:5", insecure=True) == str(
        tmp_path / "127.0.0.1:5/ca.crt"
    )
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("")
    monkeypatch.setenv("CA_BUNDLE", str(bundle))
    assert registry_session.trusted("a.example.org", insecure=False) == str(bundle)


INDEX = b'{"schemaVersion": 2, "manifests": []}'
INDEX_DIGEST = "sha256:" + hashlib.sha256(INDEX).hexdigest()
INDEX_KIND = "application/vnd.oci.image.index.v1+json"
INDEX_PATH = f"/v2/team/api/manifests/{INDEX_DIGEST}"


def put_index(server: Server, target: Registry) -> None:
    target.put_index(f"{server.address}/team/api:1", INDEX_DIGEST, INDEX_KIND, INDEX)


def test_an_index_is_put_under_its_digest(server: Server, target: Registry) -> None:
    put_index(server, target)
    assert server.manifests == {INDEX_PATH: INDEX}


@pytest.mark.parametrize("status", [400, 404, 405, 415, 422])
def test_a_registry_without_indexes_is_one_clear_line(
    server: Server, target: Registry, status: int
) -> None:
    server.answers[INDEX_PATH] = (status, {}, b"")
    with pytest.raises(SutraError) as caught:
        put_index(server, target)
    message, _, answer = caught.value.message.rpartition(": ")
    assert message == (f'registry: takes no index of several platforms "{server.address}/team/api"')
    assert answer.startswith(f"{status} ")
    assert caught.value.tip == (
        "promote to a registry that does, or one platform alone: without PLATFORMS"
    )


@pytest.mark.parametrize("status", [403, 500, 507])
def test_what_else_a_registry_answers_says_nothing_of_indexes(
    server: Server, target: Registry, status: int
) -> None:
    server.answers[INDEX_PATH] = (status, {}, b"")
    with pytest.raises(SutraError) as caught:
        put_index(server, target)
    place = f'"{server.address}/team/api:1"'
    message, _, answer = caught.value.message.rpartition(": ")
    assert message == f"registry: cannot push {INDEX_DIGEST} to {place}"
    assert answer.startswith(f"{status} ")


def test_the_platforms_of_an_image_share_a_repository(server: Server, target: Registry) -> None:
    assert target.reference("arm64/api", "1") == target.reference("api", "1")
    server.answers["/v2/team/api/tags/list"] = (200, {}, b'{"tags": ["1"]}')
    assert target.tags("arm64/api") == {"1"}
