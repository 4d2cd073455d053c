from __future__ import annotations

import http.server
import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from scripts.bench import startup
from scripts.bench.startup import Row
from scripts.common.errors import SutraError
from scripts.engine import sandbox
from scripts.engine.sandbox import Setup
from tests.unit.fakes import FakeEngine, FakeImage

ROWS = [
    Row("sutra-api", "as shipped", 42_500_000, 17_000_000, 0.4, 0.2),
    Row("sutra-api", "cached", 61_000_000, 22_000_000, 0.5, 0.25),
    Row("sutra-hybrid", "cached", 160_000_000, 55_000_000, 1.0, 2.0),
]
TITLE = "process start to first healthy answer, and imports: medians of 10"
TABLE = """\
┏━━━━━━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━━━━┓
┃ service      ┃ bytecode   ┃ installed ┃ download ┃ healthy s ┃ ÷ cached ┃ imports s ┃ ÷ cached ┃
┡━━━━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━━━┩
│ sutra-api    │ as shipped │ 42.5 MB   │ 17.0 MB  │ 0.400     │ 0.80×    │ 0.200     │ 0.80×    │
│ sutra-api    │ cached     │ 61.0 MB   │ 22.0 MB  │ 0.500     │ 1.00×    │ 0.250     │ 1.00×    │
│ sutra-hybrid │ cached     │ 160.0 MB  │ 55.0 MB  │ 1.000     │ 1.00×    │ 2.000     │ 1.00×    │
└──────────────┴────────────┴───────────┴──────────┴───────────┴──────────┴───────────┴──────────┘
"""
SERVICE = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response({status})
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", {port}), Answer).serve_forever()
"""


def test_each_variant_is_beside_the_compiled_one() -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(startup.table(ROWS))
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    assert lines[0].strip() == TITLE
    assert lines[1:] == TABLE.splitlines()


@pytest.fixture
def port() -> int:
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        return int(server.server_address[1])


def drive(folder: Path, source: str, port: int) -> subprocess.CompletedProcess[str]:
    (folder / "service.py").write_text(source)
    command = [sys.executable, "-c", startup.DRIVER, "service", str(port), "json, csv"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


def test_the_driver_prints_both_times_of_a_healthy_service(tmp_path: Path, port: int) -> None:
    done = drive(tmp_path, SERVICE.format(status=200, port=port), port)
    assert done.returncode == 0, done.stderr
    healthy, imported = map(float, re.findall("^bench-seconds (.+)$", done.stdout, re.MULTILINE))
    assert 0 < healthy < 60
    assert 0 < imported < 60


def test_the_driver_says_that_a_service_has_ended(tmp_path: Path, port: int) -> None:
    done = drive(tmp_path, "raise SystemExit(3)", port)
    assert (done.returncode, done.stderr) == (1, "not healthy\n")


def test_a_service_that_does_not_start_ends_the_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(client: Any, setup: Setup, seconds: float) -> tuple[int, str]:
        assert setup.command[3:] == (
            "sutra_api",
            "8000",
            "sutra_api.app, sutra_service.web.serve, sutra_service.web.startup, "
            "sutra_service.web.healthcheck",
        )
        return 1, "Traceback\nnot healthy\n"

    monkeypatch.setattr(sandbox, "run", run)
    client: Any = None
    with pytest.raises(SutraError) as caught:
        startup.started(client, "sutra-api:x", "sutra-api", "net")
    assert caught.value.message == (
        'bench: "sutra-api:x" did not start: last words "Traceback | not healthy"'
    )


LOG = "starting\n\nbench-seconds 0.25\nstopping\n\nbench-seconds 1.5\nTask was destroyed\n"


def start(monkeypatch: pytest.MonkeyPatch, code: int | None, log: str) -> tuple[float, float]:
    monkeypatch.setattr(sandbox, "run", lambda *_: (code, log))
    client: Any = None
    return startup.started(client, "sutra-api:x", "sutra-api", "net")


def test_a_late_word_of_the_service_is_not_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert start(monkeypatch, 0, LOG) == (0.25, 1.5)


@pytest.mark.parametrize(
    ("code", "log", "problem"),
    [
        (None, LOG, 'not done in 120 s, last words "bench-seconds 1.5 | Task was destroyed"'),
        (0, "0.25\n", 'last words "0.25"'),
    ],
)
def test_times_that_are_not_there_end_the_bench(
    monkeypatch: pytest.MonkeyPatch, code: int | None, log: str, problem: str
) -> None:
    with pytest.raises(SutraError) as caught:
        start(monkeypatch, code, log)
    assert caught.value.message == f'bench: "sutra-api:x" did not start: {problem}'


def test_a_build_that_fails_leaves_no_tag_of_an_earlier_one(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = engine.add(FakeImage([]), "sutra-api:prod")

    def build_variants(client: FakeEngine, mode: str, references: dict[str, str]) -> None:
        if mode == startup.MODES[-1]:
            raise SutraError("build: failed")
        client.tags.update(dict.fromkeys(references.values(), image))

    monkeypatch.setattr(startup, "build_variants", build_variants)
    client: Any = engine
    with pytest.raises(SutraError, match=r"^build: failed$"):
        startup.measure(client)
    assert engine.tags == {"sutra-api:prod": image}
