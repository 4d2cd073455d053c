"""Write the report: one HTML file that needs no network, and is whole without its one script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from scripts.common import files
from scripts.common.units import format_size
from scripts.report import tables
from scripts.report.html import shorten, size_history
from scripts.report.html.collect import Report

PAGE = Path(".build/report.html")
TEMPLATE = "report.html.j2"
SCRIPT = Path(__file__).parent / "report.js"
# bytes of a page that may be attached, mailed or kept
LARGEST = 1_000_000


def render(report: Report) -> str:
    """Return the page; where it is too large, of as much of the report as there is room for."""
    page = _render(report)
    for less in shorten.steps(report):
        if len(page.encode()) <= LARGEST:
            break
        page = _render(less)
    return page


def _render(report: Report) -> str:
    """Return the page. Every text is escaped: names of files and details are not ours."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., str]] = {
        "size": format_size,
        "percent": lambda share: f"{share:.1%}",
        "number": lambda length: f"{length:.1f}".removesuffix(".0"),
        "value": tables.value,
        "limit": tables.limit,
    }
    environment.filters.update(filters)
    script = SCRIPT.read_text(encoding="utf-8")
    return environment.get_template(TEMPLATE).render(
        report=report,
        line=size_history.line,
        shown=size_history.SHOWN,
        script=script,
        script_hash=source_hash(script),
    )


def source_hash(script: str) -> str:
    """Return what allows this script and no other: https://www.w3.org/TR/CSP3/#grammardef-hash-source."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def write(page: Path, text: str) -> None:
    """Write the page under a temporary name and rename it."""
    files.write(page, text, "report", "`df -h .` and `ls -ld .build`")
