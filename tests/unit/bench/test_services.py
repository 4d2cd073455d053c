from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from scripts.bench import services
from scripts.common.errors import SutraError
from scripts.engine import sandbox
from scripts.engine.sandbox import Setup

TIMES = {
    "storage PUT": (0.5, 1.0),
    "storage GET": (0.25, 0.5),
    "api PUT": (1.5, 4.0),
    "api GET": (1.0, 1.25),
    "hybrid POST": (3.0, 9.0),
}
ROWS = [
    ["GET /concepts/…", "0.25", "0.50", "1.00", "1.25", "4.00×", "2.50×"],
    ["PUT /concepts/…", "0.50", "1.00", "1.50", "4.00", "3.00×", "4.00×"],
    ["POST /similar of 300", "", "", "3.00", "9.00", "", ""],
]


def test_the_api_is_beside_the_storage() -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(services.table(TIMES, 100))
    lines = [line for line in console.export_text().splitlines() if line.startswith("│")]
    assert [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines] == ROWS


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((None, ""), 'bench: "x:prod" took more than 5 s'),
        ((1, "api: GET /x: 503\n"), 'bench: "x:prod" failed: api: GET /x: 503'),
    ],
)
def test_a_part_that_fails_is_reported(
    monkeypatch: pytest.MonkeyPatch, answer: tuple[Any, str], message: str
) -> None:
    monkeypatch.setattr(sandbox, "run", lambda *_: answer)
    with pytest.raises(SutraError) as caught:
        services._run(None, Setup("x:prod"), 5)  # type: ignore[arg-type] # no engine is reached
    assert caught.value.message == message
