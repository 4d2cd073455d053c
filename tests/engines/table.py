"""The table of docs/engines.md, from the file of results."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tests.conftest import ROOT
from tests.engines.matrix import ROWS, STEPS, VERSIONS, Result

RESULTS = ROOT / "tests/engines/results.json"
PAGE = ROOT / "docs/engines.md"
MARKED = re.compile(r"(<!-- engines -->\n).*?(<!-- /engines -->)", re.DOTALL)
Results = Mapping[str, Mapping[str, Any]]


def read() -> dict[str, Any]:
    """Return the kept results by the row's name."""
    return dict(json.loads(RESULTS.read_text())) if RESULTS.exists() else {}


def plain(results: Mapping[str, Result]) -> dict[str, Any]:
    """Return results as the file holds them."""
    return {name: result.as_json() for name, result in results.items()}


def render(results: Results) -> str:
    """Return the table in Markdown: a line for each row of the matrix that has a result."""
    head = ["Debian", "builder", *VERSIONS, *STEPS, "run on"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in ROWS:
        result = results.get(row.name)
        cells = [row.suite, row.builder or "the engine's"]
        if result is None:
            cells += ["not run", "containerd" if row.containerd_store else "classic"]
            cells += [""] * (len(head) - len(cells))
        else:
            cells += [result["versions"].get(name, "") for name in VERSIONS]
            cells += [result["steps"].get(name, "not run") for name in STEPS]
            cells += [result["at"]]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def write(results: Results) -> None:
    """Put the table between the page's markers."""
    text = PAGE.read_text()
    assert MARKED.search(text), f"{PAGE}: no <!-- engines --> block"
    PAGE.write_text(MARKED.sub(lambda match: match[1] + render(results) + match[2], text))
