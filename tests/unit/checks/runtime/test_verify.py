"""Test the exact messages of the runtime checks; tests/engine runs them on real containers."""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError
from hypothesis import given
from hypothesis import strategies as st

from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.catalog.runtime_needs import Runtime
from scripts.checks.runtime import service
from scripts.checks.runtime import verify as verify_runtime
from scripts.common.check_result import CheckResult
from scripts.common.errors import SutraError
from scripts.common.text import printable
from scripts.engine import containers, health, sandbox
from scripts.engine.health import Health, Probe
from scripts.engine.sandbox import Memory, Setup
from tests.support.clock import Clock
from tests.support.results import flat

ROOT = Path(__file__).resolve().parents[4]
FILE = "images.yaml"
KEY = "images.yaml: images.api"
API = Image("api", Budget(1, 1, ready=5000, memory=1_000_000))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch, now=100.0)


# ---- health -----------------------------------------------------------------


class Service:
    """A container whose health checks answer in turn, each after `seconds`; -1 ends it with 3."""

    def __init__(
        self, clock: Clock, monkeypatch: pytest.MonkeyPatch, answers: list[int], seconds: float
    ) -> None:
        self.clock, self.answers, self.seconds, self.questions = clock, answers, seconds, 0
        self.patience: list[float] = []
        monkeypatch.setattr(sandbox, "start", lambda container: clock.pass_by(0.5))
        monkeypatch.setattr(sandbox, "execute", self.execute)
        monkeypatch.setattr(sandbox, "exit_code", lambda container: 3 if self.ended else None)
        monkeypatch.setattr(sandbox, "output", lambda container, lines: "cannot open /data\n")

    @property
    def ended(self) -> bool:
        return self.questions > 0 and self.answers[min(self.questions, len(self.answers)) - 1] < 0

    def execute(
        self, client: object, container: object, command: object, seconds: float, patience: float
    ) -> int:
        self.patience.append(round(patience, 3))
        self.clock.pass_by(self.seconds)
        answer = self.answers[min(self.questions, len(self.answers) - 1)]
        self.questions += 1
        if answer < 0:
            raise containers.CommandError("container is not running")
        return answer

    def wait(self, budget: int) -> Health:
        nothing: Any = None
        return health.wait(nothing, nothing, Probe(("ask",), 3), budget)


def test_the_first_healthy_answer_counts(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second to start, three questions of 0.2 s, two pauses of 0.1 s."""
    assert Service(clock, monkeypatch, [1, 1, 0], 0.2).wait(5000) == Health(1300)


def test_who_is_late_is_waited_for_three_times_as_long(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [1, 1, 1, 1, 1, 0]
    assert Service(clock, monkeypatch, answers, 0.4).wait(1000) == Health(3400)


def test_who_is_later_is_not(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Service(clock, monkeypatch, [1], 0.4).wait(1000) == Health(
        3400,
        'not healthy after "3.40 s", health check exited with 1, last words "cannot open /data"',
    )


def test_who_ends_is_not_waited_for(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Service(clock, monkeypatch, [1, -1], 0.2).wait(5000) == Health(
        1000, 'ended with "3", last words "cannot open /data"'
    )


def test_a_question_that_is_late_is_waited_for_while_there_is_time(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 15.3 s, half a second to start; three times the 3 s that a question may take."""
    service = Service(clock, monkeypatch, [124, 124, 0], 5)
    assert service.wait(5_100) == Health(15_700)
    assert service.patience == [9.0, 6.7, 1.6]


@pytest.mark.parametrize(
    ("check", "probe"),
    [
        (None, None),
        ({}, None),
        ({"Test": ["NONE"]}, None),
        ({"Test": []}, None),
        ({"Test": ["CMD"]}, None),
        ({"Test": ["CMD", "ask", "8000"]}, Probe(("ask", "8000"), 30.0)),
        ({"Test": ["CMD", "ask"], "Timeout": 3_000_000_000}, Probe(("ask",), 3.0)),
        ({"Test": ["CMD-SHELL", "ask || exit 1"]}, Probe(("/bin/sh", "-c", "ask || exit 1"), 30.0)),
    ],
)
def test_a_health_check_is_read_from_the_image(check: object, probe: Probe | None) -> None:
    assert health.probe_of({"Config": {"Healthcheck": check}}) == probe


@pytest.mark.parametrize(
    ("check", "ready", "probe"),
    [
        (None, ("ask",), None),
        ({"Test": ["CMD", "live"]}, (), Probe(("live",), 30.0)),
        ({"Test": ["CMD", "live"], "Timeout": 1_000_000_000}, ("ask", "8"), Probe(("ask", "8"), 1)),
    ],
)
def test_readiness_may_be_asked_otherwise_than_liveness(
    check: object, ready: tuple[str, ...], probe: Probe | None
) -> None:
    image = Image("api", Budget(1, 1), runtime=Runtime(ready=ready))
    assert service.probe_of(image, {"Config": {"Healthcheck": check}}) == probe


# ---- the checks' exact boundaries and words ---------------------------------


@pytest.mark.parametrize(
    ("start", "ok", "detail"),
    [
        (Health(5000), True, ""),
        (
            Health(5001),
            False,
            f'{KEY}.budget.ready: healthy too late "5.00 s", 5.00 s allowed (+1 ms)',
        ),
        (Health(100, 'ended with "1"'), False, f'{KEY}.budget.ready: ended with "1"'),
    ],
)
def test_a_time_equal_to_its_budget_is_within_it(start: Health, ok: bool, detail: str) -> None:
    assert flat([service._ready(FILE, API, start)]) == [
        CheckResult("api", "ready", ok, start.ms, 5000, detail, "ms")
    ]


def test_memory_equal_to_its_budget_is_within_it() -> None:
    assert service._memory(FILE, API, Memory(1_000_000)).ok
    assert flat([service._memory(FILE, API, Memory(1_000_001))]) == [
        CheckResult(
            "api",
            "memory",
            False,
            1_000_001,
            1_000_000,
            f'{KEY}.budget.memory: over budget "1.0 MB", 1.0 MB allowed (+1 bytes)',
        )
    ]


def test_memory_without_a_budget_is_only_reported() -> None:
    image = Image("api", Budget(1, 1, ready=5000))
    assert flat([service._memory(FILE, image, Memory(7))]) == [
        CheckResult("api", "memory", True, 7, None)
    ]


@pytest.mark.parametrize(
    ("code", "ok", "detail"),
    [
        (0, True, ""),
        (143, False, f'{KEY}: ended with "143" 2.00 s after SIGTERM, it said nothing'),
        (137, False, f'{KEY}: ended with "137" 2.00 s after SIGTERM, it said nothing'),
        (None, False, f'{KEY}: still running "2.00 s" after SIGTERM, it said nothing'),
    ],
)
def test_sigterm_must_end_it_with_zero(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, code: int | None, ok: bool, detail: str
) -> None:
    def ended(container: object, seconds: float) -> int | None:
        clock.pass_by(2)
        return code

    monkeypatch.setattr(sandbox, "terminate", lambda container: None)
    monkeypatch.setattr(sandbox, "ended", ended)
    monkeypatch.setattr(sandbox, "output", lambda container, lines: "\n")
    nothing: Any = None
    assert flat([service._stop(FILE, API, nothing)]) == [
        CheckResult("api", "stop", ok, 2000, 10_000, detail, "ms")
    ]


@pytest.mark.parametrize(
    ("volumes", "written", "outside"),
    [
        ([], [], []),
        ([], ["/data", "/data/x", "/run/app"], []),
        ([], ["/database", "/run"], ["/database", "/run"]),
        (["/data"], [], []),
        (["/cache", "/data"], ["/x"], ["/cache (a volume)", "/x"]),
    ],
)
def test_what_is_outside_the_declared_places(
    volumes: list[str], written: list[str], outside: list[str]
) -> None:
    image = Image("api", Budget(1, 1), runtime=Runtime(writes=("/data", "/run/app")))
    attributes = {"Config": {"Volumes": {place: dict[str, str]() for place in volumes}}}
    assert service._outside(image, attributes, written) == outside


def test_what_is_needed_starts_after_what_it_needs_itself() -> None:
    budget = Budget(1, 1, ready=1)
    images = [
        Image(name, budget, runtime=Runtime(needs=needs))
        for name, needs in (("a", ("b", "c")), ("b", ("c",)), ("c", ("d",)), ("d", ()))
    ]
    promises = Catalog(Path("images.yaml"), tuple(images), Budget(1, 1))
    assert [need.name for need in service._in_order(promises, images[0])] == ["d", "c", "b"]


def test_a_late_start_is_tried_again_and_the_last_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = iter([Health(9000), Health(6000), Health(5001)])
    assert late(monkeypatch, starts) == [("ready", 5001), ("memory", 7), ("stop", 1)]


def test_a_start_in_time_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = iter([Health(9000), Health(5000)])
    assert late(monkeypatch, starts) == [("ready", 5000), ("memory", 7), ("stop", 1)]


def test_a_start_that_failed_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert late(monkeypatch, iter([Health(10, "ended with 1")])) == [("ready", 10)]


def late(monkeypatch: pytest.MonkeyPatch, starts: Any) -> list[tuple[str, int | None]]:
    monkeypatch.setattr(sandbox, "container", lambda client, setup: nullcontext())
    monkeypatch.setattr(health, "wait", lambda *_: next(starts))
    monkeypatch.setattr(sandbox, "memory", lambda *_: Memory(7))
    stop = CheckResult("api", "stop", True, 1, 10_000, "", "ms")
    monkeypatch.setattr(service, "_stop", lambda *_: stop)
    nothing: Any = None
    results = service._read_only(nothing, API, Setup("x"), Probe(("ask",), 1), FILE)
    return [(result.name, result.actual) for result in results]


@pytest.mark.parametrize(("seconds", "ok"), [(10, True), (10.001, False)])
def test_a_stop_as_long_as_its_limit_is_within_it(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, seconds: float, ok: bool
) -> None:
    monkeypatch.setattr(sandbox, "terminate", lambda container: clock.pass_by(seconds))
    monkeypatch.setattr(sandbox, "ended", lambda container, seconds: 0)
    monkeypatch.setattr(sandbox, "output", lambda container, lines: "")
    nothing: Any = None
    assert service._stop(FILE, API, nothing).ok is ok


@pytest.mark.parametrize(
    ("reference", "tip"),
    [
        ("archive:a/b c.tar", "`docker load -i 'a/b c.tar'`, then give the name that it says"),
        ("here.tar", "`docker load -i here.tar`, then give the name that it says"),
        ("oci:./layout", "`tar -C ./layout -c . | docker load`, then give the name that it says"),
        ("registry:h:5000/a:1", "`docker pull h:5000/a:1`, then give that name"),
    ],
)
def test_what_is_not_in_the_engine_cannot_be_started(
    folder: Path, reference: str, tip: str
) -> None:
    (folder / "here.tar").write_bytes(b"")
    promises = Catalog(Path("images.yaml"), (API,), Budget(1, 1))
    nothing: Any = None
    with pytest.raises(SutraError) as caught:
        verify_runtime.verify_one(nothing, promises, API, reference)
    assert (caught.value.message, caught.value.tip) == (
        f'verify_runtime: only images in the engine can be started "{reference}"',
        tip,
    )


# ---- what containers say ----------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("one\n", "one"),
        ("1\n2\n3\n4\n", "2 | 3 | 4"),
        ("a\n\n  b  \n", "a | b"),
        ("\x1b[31mred\x1b[0m\t\x00é\n", "\ufffd[31mred\ufffd[0m\ufffd\ufffdé"),
        ("x" * 301, "…" + "x" * 300),
        ("x" * 300, "x" * 300),
    ],
)
def test_last_words_are_one_line(text: str, shown: str) -> None:
    assert sandbox.one_line(text) == shown


@given(st.text())
def test_whatever_a_container_prints_is_one_printable_line(text: str) -> None:
    shown = sandbox.one_line(text)
    assert len(shown) <= 301
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("status", "words", "problem"),
    [
        (400, 'exec: "nope": not found', 'exec: "nope": not found'),
        (409, "container x is not running", "container x is not running"),
        (500, "cannot exec in a stopped state: unknown", "cannot exec in a stopped state: unknown"),
        (500, "cannot exec in a deleted state: unknown", "cannot exec in a deleted state: unknown"),
        (
            500,
            "OCI runtime create failed: no such file\nmore",
            "OCI runtime create failed: no such file",
        ),
    ],
)
def test_a_command_that_cannot_be_run_is_not_a_failure_of_the_engine(
    status: int, words: str, problem: str
) -> None:
    with pytest.raises(containers.CommandError) as caught, containers.running():
        raise APIError("x", response=answer(status), explanation=words)
    assert str(caught.value) == problem


def test_an_engine_that_fails_says_so() -> None:
    with pytest.raises(SutraError) as caught, containers.running():
        raise APIError("x", response=answer(500), explanation="no space left on device")
    assert caught.value.message == "engine: cannot run a container: no space left on device"


def answer(status: int) -> Any:
    return SimpleNamespace(status_code=status, reason="", url="")


@pytest.mark.parametrize(
    ("paths", "written"),
    [
        (None, []),
        ([], []),
        (["/tmp", "/tmp/x"], ["/tmp/x"]),
        (["/a", "/a-b", "/a/b", "/a/b/c"], ["/a-b", "/a/b/c"]),
        (["/var", "/var/new-folder"], ["/var/new-folder"]),
    ],
)
def test_folders_of_written_files_are_not_reported(
    paths: list[str] | None, written: list[str]
) -> None:
    changes = None if paths is None else [{"Path": path, "Kind": 0} for path in paths]
    client: Any = SimpleNamespace(api=SimpleNamespace(diff=lambda identity: changes))
    container: Any = SimpleNamespace(id="1")
    assert sandbox.deepest(sandbox.written(client, container)) == written


@pytest.mark.parametrize(
    ("before", "after", "count", "shown"),
    [
        (set(), set(), 0, ""),
        ({"/a/lock"}, {"/a"}, 1, '"/a/lock"'),
        (set(), {"/srv", "/srv/state"}, 1, '"/srv/state"'),
        ({"/a/lock", "/a"}, {"/a", "/srv", "/srv/state"}, 2, '"/a/lock" (+1 more)'),
    ],
)
def test_writes_count_while_it_runs_and_when_it_ends(
    monkeypatch: pytest.MonkeyPatch, before: set[str], after: set[str], count: int, shown: str
) -> None:
    ended: list[float] = []

    def end(container: object, seconds: float) -> int:
        ended.append(seconds)
        return 0

    monkeypatch.setattr(sandbox, "container", lambda client, setup: nullcontext())
    monkeypatch.setattr(health, "wait", lambda *_: Health(1))
    monkeypatch.setattr(sandbox, "terminate", lambda container: None)
    monkeypatch.setattr(sandbox, "ended", end)
    monkeypatch.setattr(sandbox, "written", lambda *_: after if ended else before)
    nothing: Any = None
    details: dict[str, Any] = {"Config": {}}
    result = service._writable(nothing, API, Setup("x"), Probe(("ask",), 1), details, FILE)
    detail = f"{KEY}.runtime.writes: written outside them {shown}" if shown else ""
    assert flat([result]) == [CheckResult("api", "writes", not count, count, 0, detail, "findings")]
    assert ended == [10.0]


@pytest.mark.parametrize(
    ("stats", "held"),
    [
        ({"usage": 100, "stats": {"total_inactive_file": 30, "inactive_file": 1}}, 70),
        ({"usage": 100, "stats": {"inactive_file": 40}}, 60),
        ({"usage": 100}, 100),
    ],
)
def test_memory_is_counted_without_what_can_be_dropped(stats: dict[str, Any], held: int) -> None:
    assert sandbox.memory(memory_client(stats), box()) == Memory(held)


NO_METRICS = {"message": "no metrics received"}  # status 200, from a nested engine (Docker 28)


@pytest.mark.parametrize(
    ("figures", "held"),
    [
        (["1024"], 1 << 20),
        (["1024", "1"], (1 << 20) + 1024),
        (["12m", "0"], 12 << 20),  # busybox, in docker:dind
        (["1.5g"], 3 << 29),
        ([], 0),
    ],
)
def test_an_engine_that_counts_no_memory_is_asked_for_processes(
    figures: list[str], held: int
) -> None:
    processes = {"Titles": ["PID", "RSS"], "Processes": [["7", figure] for figure in figures]}
    client = memory_client({})
    client.api.stats = lambda *_, **__: NO_METRICS
    client.api.top = lambda identity, ps_args: processes
    assert sandbox.memory(client, box()) == Memory(held)


@pytest.mark.parametrize("answer", [NO_METRICS, {"memory_stats": None}, {}, [], None, "x"])
@pytest.mark.parametrize(
    "processes",
    [
        {},
        None,
        [],
        {"Titles": ["PID"], "Processes": []},
        {"Titles": ["PID", "RSS"], "Processes": [["7", "much"]]},
        {"Titles": ["PID", "RSS"], "Processes": [["7"]]},
    ],
)
def test_memory_that_nothing_counts_is_not_measured(answer: object, processes: object) -> None:
    client = memory_client({})
    client.api.stats = lambda *_, **__: answer
    client.api.top = lambda identity, ps_args: processes
    memory = sandbox.memory(client, box())
    assert memory.held is None
    assert "cannot list a container's processes: unexpected answer (" in memory.why


def test_why_memory_was_not_measured_names_both_ways() -> None:
    client = memory_client({})
    client.api.stats = lambda *_, **__: NO_METRICS
    client.api.top = lambda identity, ps_args: {}
    assert sandbox.memory(client, box()).why == (
        "counts no memory of containers (no metrics received); cannot list a container's "
        "processes: unexpected answer (KeyError: 'Titles')"
    )


def test_memory_that_was_not_measured_gates_nothing_and_says_so() -> None:
    result = service._memory(FILE, API, Memory(None, "no metrics"))
    assert (result.ok, result.actual, result.limit) == (True, None, API.budget.memory)
    assert result.detail == "images.yaml: images.api.budget.memory: not measured: no metrics"


def test_a_container_that_has_ended_holds_nothing() -> None:
    assert sandbox.memory(memory_client({}), box(running=False)) == Memory(0)


def box(running: bool = True) -> Any:
    state = {"Running": running, "ExitCode": 0 if running else 1}
    return SimpleNamespace(id="1", reload=lambda: None, attrs={"State": state})


def memory_client(stats: dict[str, Any]) -> Any:
    reply = {"memory_stats": stats}
    return SimpleNamespace(api=SimpleNamespace(stats=lambda identity, **_: reply))


# ---- the call ---------------------------------------------------------------


@pytest.mark.parametrize("words", [["x:y"], ["--as", "sutra-api"]])
def test_a_wrong_call_exits_with_2(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts", "verify-runtime", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == (
        "python -m scripts verify-runtime: error: a reference and --as NAME go together"
    )


def test_a_manifest_that_is_damaged_is_refused(folder: Path) -> None:
    manifest = folder / "packages/api/cleanup.yaml"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("prove: {import: json}\n")
    with pytest.raises(SutraError) as caught:
        verify_runtime._promised("api")
    assert caught.value.message == 'cleanup.yaml: prove.import: not a list of texts "json"'


def test_an_image_without_a_manifest_promises_no_modules(folder: Path) -> None:
    assert verify_runtime._promised("sutra-storage-server") == ()
