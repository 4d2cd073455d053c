"""What a report leaves out, step by step, where its page would be too large."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from scripts.common.check_result import CheckResult
from scripts.report.html.collect import Report, Section

# findings of one check, then owners and files of one image
FINDINGS, ROWS = (20, 1), (20, 5)


def steps(report: Report) -> Iterator[Report]:
    """Yield the report without what is in owners, with less findings, then with shorter tables.

    A last line or a caption counts what is left out.
    """
    plain = replace(report, sections=tuple(map(_without_folders, report.sections)))
    yield plain
    for most in FINDINGS:
        plain = replace(plain, results=tuple(_fewer(result, most) for result in report.results))
        yield plain
    for most in ROWS:
        yield replace(plain, sections=tuple(_cut(section, most) for section in plain.sections))


def _without_folders(section: Section) -> Section:
    return replace(section, cells=tuple(replace(cell, cells=()) for cell in section.cells))


def _fewer(result: CheckResult, most: int) -> CheckResult:
    """Return a result with at most so many findings, and a line that says what is not shown."""
    hidden = len(result.findings) - most
    if hidden <= 0:
        return result
    more = f"{hidden} more: `verify_contents --all` prints them"
    return replace(result, findings=(*result.findings[:most], more))


def _cut(section: Section, most: int) -> Section:
    """Return a section with at most so many owners and files, and no picture of the others."""
    return replace(
        section,
        cells=(),
        owners=section.owners[:most],
        more_owners=section.more_owners + len(section.owners[most:]),
        files=section.files[:most],
        more_files=section.more_files + len(section.files[most:]),
    )
