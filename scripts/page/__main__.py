"""Write the report: one HTML file that needs no network and no script."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from scripts import catalog, engine
from scripts.errors import OK, SutraError, run
from scripts.formats import tables
from scripts.page import gather, history, picture
from scripts.page.gather import Report
from scripts.units import format_size

PAGE = Path(".build/report.html")
TEMPLATE = "report.html.j2"
# bytes of a page that may be attached, mailed or kept
LARGEST = 1_000_000


def render(report: Report) -> str:
    """Return the page; where names are so long that it is too large, without what is in owners."""
    page = _render(report)
    if len(page.encode()) <= LARGEST:
        return page
    sections = tuple(
        replace(section, cells=tuple(replace(cell, cells=()) for cell in section.cells))
        for section in report.sections
    )
    return _render(replace(report, sections=sections))


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
    return environment.get_template(TEMPLATE).render(
        report=report, line=history.line, shown=history.SHOWN
    )


def write(page: Path, text: str) -> None:
    """Write the page under a temporary name and rename it."""
    partial = page.with_suffix(f".{os.getpid()}")
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        partial.rename(page)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise SutraError(
            f'report: cannot write "{page}": {error.strerror}', "`df -h .` and `ls -ld .build`"
        ) from error


def main() -> int:
    """Check all images and write the page, and its picture where one is asked for."""
    parser = argparse.ArgumentParser(prog="python -m scripts.page", description=__doc__)
    parser.add_argument("--picture", type=Path, help="a PNG of the page's beginning, eg for docs")
    given = parser.parse_args()
    if given.picture:
        picture.find_browser()  # before minutes of checks
    report = gather.gather(engine.connect(), catalog.load())
    write(PAGE, render(report))
    failed = len(report.failed)
    print(f"report: {PAGE} ({failed or 'no'} failed checks)", file=sys.stderr)
    if given.picture:
        picture.take(PAGE, given.picture)
    return OK


if __name__ == "__main__":
    run(main)
