"""Write the report: one HTML file that needs no network, and is whole without its one script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from scripts.common import files
from scripts.common.check_result import CheckResult
from scripts.common.units import format_size
from scripts.report import tables
from scripts.report.html import size_history
from scripts.report.html.collect import Report

PAGE = Path(".build/report.html")
TEMPLATE = "report.html.j2"
SCRIPT = Path(__file__).parent / "report.js"
# bytes of a page that may be attached, mailed or kept
LARGEST = 1_000_000
# findings of one check where all of them are too many for a page
SHORTER = (20, 1)


def render(report: Report) -> str:
    """Return the page; where it is too large, without what is in owners, then with less findings.

    A last line counts the findings that are left out.
    """
    page = _render(report)
    if len(page.encode()) <= LARGEST:
        return page
    sections = tuple(
        replace(section, cells=tuple(replace(cell, cells=()) for cell in section.cells))
        for section in report.sections
    )
    for most in (None, *SHORTER):
        results = tuple(_shortened(result, most) for result in report.results)
        page = _render(replace(report, sections=sections, results=results))
        if len(page.encode()) <= LARGEST:
            break
    return page


def _shortened(result: CheckResult, most: int | None) -> CheckResult:
    """Return a result with at most so many findings, and a line that says what is not shown."""
    left = len(result.findings) - (len(result.findings) if most is None else most)
    if left <= 0:
        return result
    more = f"{left} more: `verify_contents --all` prints them"
    return replace(result, findings=(*result.findings[:most], more))


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
