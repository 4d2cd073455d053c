from __future__ import annotations

import io

from rich.console import Console

from scripts.bench import bases
from scripts.bench.bases import Found

FOUND = {
    "debian": Found(
        {"sutra-api": 42_000_000},
        {"sutra-api": 17_000_000},
        {"sutra-api": [0.5, 0.4, 9.0]},
        [1000.0, 1200.0, 1.0],
        [50_000_000, 52_000_000, 90_000_000],
    ),
    "alpine": Found(
        {"sutra-api": 44_100_000},
        {"sutra-api": 18_700_000},
        {"sutra-api": [0.6, 0.75, 0.1]},
        [900.0, 600.0, 1.0],
        [26_000_000, 26_000_000, 90_000_000],
    ),
}
ROWS = [
    ("sutra-api, installed", "42.0 MB", "44.1 MB", "1.05×"),
    ("sutra-api, download", "17.0 MB", "18.7 MB", "1.10×"),
    ("sutra-api, start to first healthy answer", "0.50 s", "0.60 s", "1.20×"),
    ("sutra-api, GET /concepts/… a second", "1,000", "600", "0.60×"),
    ("sutra-api, memory after that", "52.0 MB", "26.0 MB", "0.50×"),
]


def test_medians_of_both_bases_are_side_by_side() -> None:
    assert bases.rows(FOUND) == ROWS


def test_the_table_has_a_column_a_base() -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(bases.table(ROWS))
    text = console.export_text()
    assert next(line for line in text.splitlines() if "Debian" in line).split() == [
        "┃",
        "what",
        "┃",
        "Debian",
        "┃",
        "Alpine",
        "┃",
        "Alpine",
        "÷",
        "Debian",
        "┃",
    ]
    assert (
        "│ sutra-api, memory after that             │ 52.0 MB │ 26.0 MB │ 0.50×           │" in text
    )
