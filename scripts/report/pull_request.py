"""What a pull request changes in sizes, for the job's summary; nothing where nothing changed."""

from __future__ import annotations

from scripts.checks.sizes import causes
from scripts.checks.sizes.blame import DOWNLOAD, Growth
from scripts.checks.sizes.pull_request import Comparison
from scripts.common.units import format_change, format_size
from scripts.report import github, tables

HEADINGS = ("image", "size", "before", "now", "change", "by this change", "what")
PACKED = "unpacked: "


def markdown(compared: Comparison) -> str:
    """Return a table of every size that changed, or the line that says why there is none."""
    if compared.uncompared:
        return f"Sizes are not compared:\n\n{github.block([compared.uncompared])}"
    if not compared.changes:
        return ""
    rows = [_row(growth) for growth in compared.changes]
    return f"### Sizes since {compared.since}\n\n{tables.markdown(HEADINGS, rows)}"


def _row(growth: Growth) -> tuple[str, ...]:
    # causes and images are our own words: no name of a file or a package is here
    cause = causes.in_words(growth.unpacked)
    packed = PACKED if cause and growth.size == DOWNLOAD else ""
    figures = map(format_size, (growth.before, growth.after))
    changed = map(format_change, (growth.change, growth.authors))
    return (growth.image, growth.size, *figures, *changed, packed + cause)
