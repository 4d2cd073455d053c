"""What a watched start of a service gives: the calls outside of its profile, or why not known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Image
from scripts.catalog.runtime_needs import Runtime
from scripts.checks.runtime import requests_file, seccomp, seccomp_profile, service
from scripts.checks.runtime.requests_file import Answer, Request
from scripts.checks.runtime.seccomp import Watch
from scripts.common.check_result import CheckResult
from scripts.common.errors import SutraError
from scripts.engine.sandbox import Setup
from tests.unit.fakes import FakeEngine

SETUP = Setup("sha256:1", network="n", alias="api")
KEY = "images.api.runtime.seccomp"


class Seen:
    """A listener that saw these calls."""

    def __init__(self, *names: str, is_connected: bool = True) -> None:
        self._names, self.is_connected = frozenset(names), is_connected

    def names(self) -> frozenset[str]:
        return self._names


def watch(listener: Any, requests: str = "") -> Watch:
    runtime = Runtime(seccomp="packages/api/seccomp.json", requests=requests)
    return Watch(FakeEngine(), Image("api", Budget(1, 1), runtime=runtime), SETUP, listener)


def result(ok: bool, actual: int | None, problem: str, *findings: str) -> CheckResult:
    return CheckResult(
        "api", "seccomp", ok, actual, 0, problem, "findings", findings, "images.yaml", KEY
    )


def test_no_call_outside_of_the_profile_is_no_finding() -> None:
    assert watch(Seen()).result("images.yaml") == result(True, 0, "")


def test_calls_outside_of_it_are_findings() -> None:
    assert watch(Seen("mkdir", "chmod")).result("images.yaml") == result(
        False,
        2,
        'not in packages/api/seccomp.json "chmod, mkdir", which `make seccomp IMAGE=api` adds',
        'calls "chmod"',
        'calls "mkdir"',
    )


@pytest.mark.parametrize(("count", "more"), [(8, ""), (9, " (+1 more)")])
def test_a_line_names_eight_of_them(count: int, more: str) -> None:
    names = [f"call {number}" for number in range(count)]
    watched = watch(Seen(*names)).result("images.yaml")
    assert f'"{", ".join(names[:8])}"{more}, which' in watched.problem
    assert (watched.actual, len(watched.findings)) == (count, count)


@pytest.mark.parametrize(
    ("listener", "why"),
    [(None, seccomp.ELSEWHERE), (Seen(is_connected=False), seccomp.NOT_CONNECTED)],
)
def test_what_cannot_be_recorded_is_not_measured(listener: Any, why: str) -> None:
    watched = watch(listener, "requests.txt")
    watched.use()  # and no request is sent
    assert watched.result("images.yaml") == result(True, None, f"not measured: {why}")


def test_an_engine_on_another_machine_is_not_asked_for_it(engine: FakeEngine) -> None:
    engine.base_url = "https://10.0.0.1:2376"
    image = Image("api", Budget(1, 1), runtime=Runtime(seccomp="not-read.json"))
    with seccomp.watch(engine, image, SETUP) as watched:
        assert (watched.setup, watched.why) == (SETUP, seccomp.ELSEWHERE)


def test_a_watched_start_has_a_profile_that_names_the_socket(
    engine: FakeEngine, tmp_path: Path
) -> None:
    file = tmp_path / "seccomp.json"
    seccomp_profile.write(file, ["read"])
    image = Image("api", Budget(1, 1), runtime=Runtime(seccomp=str(file)))
    with seccomp.watch(engine, image, SETUP) as watched:
        assert watched.listener
        assert watched.setup.seccomp == seccomp_profile.watching(["read"], watched.listener.path)
        assert watched.why == seccomp.NOT_CONNECTED


@pytest.mark.parametrize(
    ("status", "problem"),
    [(404, ""), (499, ""), (500, "answered 500 to GET /b"), (503, "answered 503 to GET /b")],
)
def test_a_request_that_the_profile_breaks_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, problem: str
) -> None:
    (tmp_path / "requests.txt").write_text("GET /a\nGET /b\n")
    calls: list[object] = []

    def send(places: object, own: str, requests: list[Request]) -> list[Answer]:
        calls.extend([places, own])
        return [
            Answer(request, code) for request, code in zip(requests, (200, status), strict=True)
        ]

    monkeypatch.setattr(requests_file, "addresses", lambda client, network: f"of {network}")
    monkeypatch.setattr(requests_file, "send", send)
    watched = watch(Seen(), str(tmp_path / "requests.txt"))
    watched.use()
    assert calls == ["of n", "api"]
    assert watched.result("images.yaml") == result(not problem, int(bool(problem)), problem)


def test_a_request_without_an_answer_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "requests.txt").write_text("GET /a\n")

    def send(*_: object) -> list[Answer]:
        raise SutraError("requests: no answer to GET /a: closed")

    monkeypatch.setattr(requests_file, "addresses", lambda client, network: {})
    monkeypatch.setattr(requests_file, "send", send)
    watched = watch(Seen(), str(tmp_path / "requests.txt"))
    watched.use()
    assert watched.result("images.yaml") == result(
        False, 1, "requests: no answer to GET /a: closed"
    )


@pytest.mark.parametrize(
    ("address", "starts"), [("https://10.0.0.1:2376", 1), ("http+docker://localunixsocket", 2)]
)
def test_only_a_start_that_an_engine_here_could_not_make_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, starts: int
) -> None:
    """An engine elsewhere makes the plain start at once; nothing connects to the socket here."""
    file = tmp_path / "seccomp.json"
    seccomp_profile.write(file, ["read"])
    engine = FakeEngine()
    engine.base_url = address
    image = Image("api", Budget(1, 1), runtime=Runtime(seccomp=str(file)))
    setups: list[Setup] = []

    def writable(client: object, image: object, setup: Setup, *_: object) -> CheckResult:
        setups.append(setup)
        return CheckResult("api", "writes", True, len(setups), 0)

    monkeypatch.setattr(service, "_writable", writable)
    probe: Any = None
    writes, calls = service._watched(engine, image, SETUP, probe, {}, "images.yaml")
    assert (len(setups), setups[-1], writes.actual) == (starts, SETUP, starts)
    assert calls.problem.startswith("not measured: ")
