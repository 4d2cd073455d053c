"""Odd logins, and helpers that do not answer, give one clear line each."""

from __future__ import annotations

import base64
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from scripts.common.errors import SutraError
from scripts.engine import client, logins, process
from tests.unit.fakes import program

HOST = "r.example:5000"
CORRECT = "correct its `auths`, or move the file away and run `docker login` again"


@pytest.fixture(autouse=True)
def _docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def login(tmp_path: Path, config: Any) -> tuple[str, str] | None:
    text = config if isinstance(config, str) else json.dumps(config)
    (tmp_path / "config.json").write_text(text)
    return logins.credentials(HOST)


def auth(text: bytes) -> dict[str, Any]:
    return {"auths": {HOST: {"auth": base64.b64encode(text).decode()}}}


def refusal(tmp_path: Path, config: Any) -> tuple[str, str]:
    with pytest.raises(SutraError) as caught:
        login(tmp_path, config)
    assert "\n" not in caught.value.message
    return caught.value.message, caught.value.tip


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, None),
        ({"auths": {}}, None),
        ({"auths": {HOST: {}}}, None),
        ({"auths": {"other.example": {"auth": "YTpi"}}}, None),
        ("no JSON", None),
        ("", None),
        (auth(b"me:secret"), ("me", "secret")),
        (auth(b"me:se:cr:et"), ("me", "se:cr:et")),
        (auth(b":"), ("", "")),
        ({"auths": {f"https://{HOST}/v2/": {"auth": "YTpi"}}}, ("a", "b")),
        ({"auths": {HOST: {"identitytoken": "t"}}}, (logins.TOKEN_USER, "t")),
    ],
)
def test_logins_that_docker_writes(
    tmp_path: Path, config: Any, expected: tuple[str, str] | None
) -> None:
    assert login(tmp_path, config) == expected


def test_without_a_file_there_is_no_login() -> None:
    assert logins.credentials(HOST) is None


@pytest.mark.parametrize(
    "config",
    [
        {"auths": {HOST: {"auth": ""}}},
        {"auths": {HOST: {"auth": None}}},
        {"auths": {HOST: {"auth": 5}}},
        {"auths": {HOST: {"auth": "\u00fc"}}},
        {"auths": {"other.example": {"auth": "###"}}},
        {"auths": {HOST: "me:secret"}},
        {"auths": [HOST]},
        {"auths": 5},
        [],
        [1],
        "5",
        auth(b"user"),
        auth(b"\xff:secret"),
    ],
)
def test_logins_of_another_form_are_one_line(tmp_path: Path, config: Any) -> None:
    expected = (
        f"{tmp_path}/config.json: logins cannot be read: not what `docker login` writes",
        CORRECT,
    )
    assert refusal(tmp_path, config) == expected
    # the SDK reads logins for each client: their faults must not look like a silent engine
    with pytest.raises(SutraError) as caught:
        client.connect()
    assert (caught.value.message, caught.value.tip) == expected


@pytest.mark.parametrize(
    "config",
    [
        {"credHelpers": "bugs"},
        {"credHelpers": [HOST]},
        {"credsStore": 5},
        {"credsStore": ["bugs"]},
        {"auths": {HOST: {"identitytoken": 5}}},
        {"auths": {HOST: {"identitytoken": ""}}},
    ],
)
def test_an_invalid_login_is_one_line(tmp_path: Path, config: Any) -> None:
    assert refusal(tmp_path, config) == (
        f'engine: login of "{HOST}": not a user and a password, nor a token',
        f"run `docker login {HOST}`, or look at {tmp_path}/config.json and its credential helper",
    )


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("""echo '{"Username": "me", "Secret": "x"}'""", ("me", "x")),
        ("""echo '{"Username": "<token>", "Secret": "x"}'""", (logins.TOKEN_USER, "x")),
        ("""echo '{"Username": "", "Secret": ""}'""", None),
        ("echo credentials not found in native keychain; exit 1", None),
    ],
)
def test_helpers_answer(tmp_path: Path, script: str, expected: tuple[str, str] | None) -> None:
    program(tmp_path, "docker-credential-bugs", f"cat >/dev/null; {script}\n")
    assert login(tmp_path, {"credsStore": "bugs"}) == expected


@pytest.mark.parametrize(
    "answer",
    [
        "{}",
        "not json",
        "",
        "[]",
        "5",
        "null",
        '{"Username": 5, "Secret": 6}',
        '{"Username": "me"}',
        '{"Username": "me", "Secret": null}',
        "[" * 100_000,
        "\\377\\376",
    ],
)
def test_helpers_that_answer_anything_else_are_one_line(tmp_path: Path, answer: str) -> None:
    (tmp_path / "answer").write_bytes(answer.encode().replace(b"\\377\\376", b"\xff\xfe"))
    program(tmp_path, "docker-credential-bugs", f"cat >/dev/null; cat {tmp_path}/answer\n")
    assert refusal(tmp_path, {"credHelpers": {HOST: "bugs"}}) == (
        f'engine: login of "{HOST}": not a user and a password, nor a token',
        f"run `docker login {HOST}`, or look at {tmp_path}/config.json and its credential helper",
    )


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("exit 1", 'Credentials store docker-credential-bugs exited with "".'),
        (
            "printf 'a\\nb\\033'; exit 2",
            'Credentials store docker-credential-bugs exited with "a\nb\x1b".',
        ),
        ("sleep 60 & sleep 60", "docker-credential-bugs: no answer in 1 s"),
    ],
)
def test_helpers_that_fail_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, problem: str
) -> None:
    monkeypatch.setattr(process, "SECONDS", 1.0)
    program(tmp_path, "docker-credential-bugs", script + "\n")
    start = time.monotonic()
    message, tip = refusal(tmp_path, {"credsStore": "bugs"})
    assert message == (
        f'engine: login of "{HOST}": Credentials store error: StoreError({problem!r})'
    )
    assert tip == "run `docker login`"
    assert time.monotonic() - start < 30  # whatever it started is ended, too


def test_a_missing_helper_is_one_line(tmp_path: Path) -> None:
    problem = "docker-credential-none not installed or not available in PATH"
    assert refusal(tmp_path, {"credsStore": "none"}) == (
        f'engine: login of "{HOST}": Credentials store error: StoreError({problem!r})',
        "run `docker login`",
    )


def test_a_helper_that_cannot_be_run_is_one_line(tmp_path: Path) -> None:
    program(tmp_path, "docker-credential-bugs", "").write_bytes(b"\x7fELF")
    problem = "docker-credential-bugs: Exec format error"
    assert refusal(tmp_path, {"credsStore": "bugs"})[0] == (
        f'engine: login of "{HOST}": Credentials store error: StoreError({problem!r})'
    )
