"""The trace of a service, by an engine in memory and a recorded trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError

from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.catalog.runtime_needs import Runtime
from scripts.checks.runtime import requests_file, service
from scripts.checks.runtime.requests_file import Answer, Request
from scripts.common.errors import SutraError
from scripts.engine import fanotify, root_mount
from scripts.engine.fanotify import ACCESS, OPEN, OPEN_EXEC, Opened
from scripts.floor import service_trace
from scripts.floor.service_trace import Traced

ID = "3f" * 32
PLACE = f"/var/lib/docker/rootfs/overlayfs/{ID}"
MOUNT = f"513 29 0:52 / {PLACE} rw - overlay overlay rw\n"
PID = 4321
API = Image("sutra-api", Budget(1, 1, ready=1), runtime=Runtime(ready=("python", "ready")))
KNOWN = {"Id": "sha256:1", "Config": {"Healthcheck": {"Test": ["CMD", "python", "own"]}}}
TIP = "`make verify-runtime` shows whether the service works"
LOCAL = service_trace.LOCAL
STARTED = [
    Opened(f"{PLACE}/etc/passwd", OPEN, 99),  # the runtime, outside of the container
    Opened("/usr/bin/python3.13", OPEN | OPEN_EXEC, PID),
    Opened("/app/main.py", OPEN | ACCESS, PID),
]


class FakeTrace:
    """A trace that sees `seen` once the container's root is watched."""

    def __init__(self, seen: list[list[Opened]]) -> None:
        self.seen, self.watched = seen, list[str]()

    def watch(self, place: str) -> None:
        self.watched.append(place)

    def read(self) -> list[Opened]:
        return list(self.seen.pop(0)) if self.seen and self.watched else []


class FakeEngine:
    """One container at a time, with the calls that a trace makes; its root is in `mounts`.

    `codes` are the exit codes of commands in the container, by the last word of the command.
    """

    def __init__(self, mounts: Path) -> None:
        self.api = self.containers = self.networks = self
        self.base_url = "http+docker://localunixsocket"
        self.mounts, self.shows = mounts, MOUNT
        self.id = ID
        self.codes: dict[str, int] = {}
        self.ended: int | None = None
        self.left: list[str] = []
        self.events: list[str] = []
        self.attrs: dict[str, Any] = {}

    def create_endpoint_config(self, **_: object) -> dict[str, object]:
        return {}

    def create(self, first: str, /, **more: object) -> Any:
        self.left.append(str(more.get("name") or first))
        return self

    def start(self) -> None:
        self.mounts.write_text(self.shows)

    def reload(self) -> None:
        state = {"Running": self.ended is None, "ExitCode": self.ended or 0, "Pid": PID}
        self.attrs["State"] = state

    def logs(self, tail: int) -> bytes:
        return b"Traceback\nno module named x\n"

    def exec_create(self, _: str, command: list[str]) -> dict[str, str]:
        if self.ended is not None:
            raise APIError("409", explanation="process is not running")
        self.events.append(command[-1])
        return {"Id": command[-1]}

    def exec_start(self, identity: str, detach: bool) -> None: ...

    def exec_inspect(self, identity: str) -> dict[str, object]:
        return {"Running": False, "ExitCode": self.codes.get(identity, 0)}

    def inspect_network(self, name: str) -> dict[str, object]:
        return {"Containers": {}}

    def kill(self, signal: str) -> None:
        self.ended = 0
        self.events.append(signal)

    def remove_container(self, name: str, **_: object) -> None:
        self.left.remove(name)
        self.ended = None

    def remove_network(self, name: str) -> None:
        self.left.remove(name)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    mounts = tmp_path / "mountinfo"
    mounts.write_text("")
    monkeypatch.setattr(root_mount, "MOUNTS", mounts)
    return FakeEngine(mounts)


def traced(
    engine: Any,
    monkeypatch: pytest.MonkeyPatch,
    *starts: list[list[Opened]],
    image: Image = API,
    details: dict[str, Any] = KNOWN,
    requests: tuple[Request, ...] = (),
) -> Traced:
    """Trace a service; each of `starts` is what the reads of one start return."""
    left = iter([[], *starts])

    @contextmanager
    def trace() -> Iterator[FakeTrace]:
        yield FakeTrace(next(left))

    monkeypatch.setattr(fanotify, "trace", trace)
    promises = Catalog(Path("images.yaml"), (image,), Budget(1, 1))
    recorded = service_trace.record(engine, promises, image, details, requests)
    assert next(left, None) is None
    return recorded


def refused(*words: Any, **more: Any) -> tuple[str, str]:
    with pytest.raises(SutraError) as caught:
        traced(*words, **more)
    return caught.value.message, caught.value.tip


def test_what_is_opened_from_start_to_stop_is_recorded(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = [Opened("/app/health.py", OPEN, 555)]
    stopping = [Opened("/app/bye.py", OPEN, PID), Opened("/app/main.py", ACCESS, PID)]
    assert traced(engine, monkeypatch, [STARTED, asking, stopping]) == Traced(
        frozenset(
            ["etc/passwd", "usr/bin/python3.13", "app/main.py", "app/health.py", "app/bye.py"]
        )
    )
    assert engine.events == ["ready", "own", "SIGTERM"]
    assert engine.left == []


def test_a_start_that_was_missed_is_made_again(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = [Opened("/usr/bin/python3.13", OPEN | OPEN_EXEC, 555), STARTED[2]]
    trace = traced(engine, monkeypatch, [late], [STARTED])
    assert trace.opened == {"etc/passwd", "usr/bin/python3.13", "app/main.py"}
    assert refused(engine, monkeypatch, [late], [late], [late]) == (
        "floor: sutra-api: started before it could be traced",
        "run it again",
    )
    assert engine.left == []


def test_a_container_that_ends_at_once_is_one_line(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "start", lambda: setattr(engine, "ended", 3))
    assert refused(engine, monkeypatch, [STARTED]) == (
        'floor: sutra-api: ended with "3", last words "Traceback | no module named x"',
        TIP,
    )
    assert engine.left == []


def test_a_service_that_is_not_healthy_is_one_line(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.codes["own"] = 1
    assert refused(engine, monkeypatch, [STARTED]) == (
        "floor: sutra-api: health check exited with 1",
        TIP,
    )
    engine.codes["ready"] = 2
    message, tip = refused(engine, monkeypatch, [STARTED])
    assert message.startswith('floor: sutra-api: not healthy after "')
    assert message.endswith(
        'health check exited with 2, last words "Traceback | no module named x"'
    )
    assert tip == TIP
    assert engine.left == []


def test_an_image_without_a_health_check_is_refused_before_anything_starts(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    details = {"Id": "sha256:1", "Config": {"Healthcheck": {"Test": ["NONE"]}}}
    with pytest.raises(SutraError) as caught:
        service_trace.require_service(API, details)
    assert (caught.value.message, caught.value.tip) == (
        'floor: no HEALTHCHECK in the image "sutra-api"',
        "only a service can be traced: name one whose Dockerfile.prod has a HEALTHCHECK",
    )
    assert refused(engine, monkeypatch, details=details)[0] == caught.value.message
    assert engine.events == []


def test_an_engine_on_another_machine_is_refused(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.base_url = "http+docker://ssh"
    assert refused(engine, monkeypatch) == ("floor: the engine is on another machine", LOCAL)


def test_a_root_in_a_virtual_machine_is_one_line(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.shows = ""
    assert refused(engine, monkeypatch, [STARTED]) == (
        "floor: the root of the container cannot be seen from here",
        LOCAL,
    )
    assert engine.left == []


def test_a_missing_right_is_found_before_anything_starts(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def refuse() -> Iterator[None]:
        raise SutraError("floor: cannot trace which files are opened: operation not permitted")
        yield

    monkeypatch.setattr(fanotify, "trace", refuse)
    promises = Catalog(Path("images.yaml"), (API,), Budget(1, 1))
    with pytest.raises(SutraError, match="operation not permitted"):
        service_trace.record(engine, promises, API, KNOWN, ())
    assert (engine.events, engine.left) == ([], [])


def test_a_needed_service_that_is_not_built_is_one_line(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = service.NeedError('it needs "storage", which has no HEALTHCHECK')

    @contextmanager
    def beside(*_: object) -> Iterator[None]:
        raise problem
        yield

    monkeypatch.setattr(service, "beside", beside)
    assert refused(engine, monkeypatch) == (
        'floor: sutra-api: it needs "storage", which has no HEALTHCHECK',
        TIP,
    )


def described(alias: str, ports: object, address: str) -> dict[str, Any]:
    """Return what the engine says of a container on the network "n"."""
    joined = {"IPAddress": address, "Aliases": [alias, ID[:12]] if alias else None}
    config = {"ExposedPorts": ports}
    return {"Config": config, "NetworkSettings": {"Networks": {"n": joined}}}


def test_services_of_a_network_are_found_by_their_names() -> None:
    containers = {
        f"{ID}1": described("sutra-api", {"8000/tcp": {}, "53/udp": {}, "900/tcp": {}}, "10.0.0.2"),
        f"{ID}2": described("no-port", {"53/udp": {}}, "10.0.0.3"),
        f"{ID}3": described("no-ports", None, "10.0.0.4"),
        f"{ID}4": described("ended", {"1/tcp": {}}, ""),
        f"{ID}5": described("", {"1/tcp": {}}, "10.0.0.5"),
    }
    client: Any = SimpleNamespace()
    client.api = SimpleNamespace(
        inspect_network=lambda name: {"Containers": containers}, inspect_container=containers.get
    )
    assert requests_file.addresses(client, "n") == {"sutra-api": ("10.0.0.2", 900)}


def test_requests_are_sent_between_the_health_check_and_the_stop(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = Answer(Request("GET", "/stats"), 200)

    def send(addresses: object, own: str, requests: object) -> list[Answer]:
        assert (addresses, requests) == ({}, (sent.request,))
        engine.events.append(f"request to {own}")
        return [sent]

    monkeypatch.setattr(requests_file, "send", send)
    trace = traced(engine, monkeypatch, [STARTED], requests=(sent.request,))
    assert trace.answers == (sent,)
    assert engine.events == ["ready", "own", "request to sutra-api", "SIGTERM"]


def test_requests_without_a_place_to_go_are_one_line(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = (Request("GET", "/"),)
    assert refused(engine, monkeypatch, [STARTED], requests=requests) == (
        'requests: no address for requests to "sutra-api"',
        "an image needs EXPOSE; services with an address: none",
    )
    assert engine.left == []
