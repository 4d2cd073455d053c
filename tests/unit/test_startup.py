from __future__ import annotations

import http.server
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from scripts import containers, startup
from scripts.containers import Setup
from scripts.errors import SutraError
from scripts.startup import Row

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


def test_each_variant_stands_beside_the_compiled_one() -> None:
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
    healthy, imported = map(float, done.stdout.splitlines())
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
            "sutra_api.app, sutra_client.serve, sutra_client.startup, sutra_client.healthcheck",
        )
        return 1, "Traceback\nnot healthy\n"

    monkeypatch.setattr(containers, "run", run)
    client: Any = None
    with pytest.raises(SutraError) as caught:
        startup.started(client, "sutra-api:x", "sutra-api", "net")
    assert caught.value.message == ('bench: "sutra-api:x" did not start: Traceback | not healthy')
