"""The table of docs/packages.md: what the shared rules do to each package."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.common import files
from scripts.common.units import format_size
from scripts.trial.trial import Trial

FILE = Path("docs/packages.md")
BEGIN, END = "<!-- packages -->", "<!-- /packages -->"


def write(trials: Sequence[Trial], ranks: Mapping[str, int], file: Path = FILE) -> None:
    """Write the table between its marks."""
    text = file.read_text(encoding="utf-8")
    block = f"{BEGIN}\n{table(trials, ranks)}\n{END}"
    new = re.sub(f"{BEGIN}.*{END}", lambda _: block, text, flags=re.DOTALL)
    files.write(file, new, "try-package", "check the disk and its rights")


def table(trials: Sequence[Trial], ranks: Mapping[str, int]) -> str:
    """Return the counts in a line, and a row for each package in order of rank."""
    working = [trial for trial in trials if trial.ok and not trial.entries]
    helped = [trial for trial in trials if trial.ok and trial.entries]
    rows = [
        f"{len(trials)} packages on Python {platform.python_version()}: {len(working)} work with "
        f"the shared rules alone, {len(helped)} need entries of their own, "
        f"{len(trials) - len(working) - len(helped)} are broken.",
        "",
        "| rank | package | installed | cleaned | modules | entry points | entries it needs |",
        "|--:|---|--:|--:|--:|--:|---|",
    ]
    for trial in sorted(trials, key=lambda trial: ranks[trial.package]):
        rows.append(f"| {ranks[trial.package]} | {_name(trial)} | {_result(trial)} |")
    return "\n".join(rows)


def _name(trial: Trial) -> str:
    return f"{trial.package} {trial.version}".strip()


def _result(trial: Trial) -> str:
    if not trial.ok:
        reason = trial.broke[-1] if trial.broke else "no result"
        return f"| | | | broken: {reason.replace('|', chr(92) + '|')[:300]}"
    needs = f"`{trial.entries}`" if trial.entries else "nothing"
    sizes = f"{format_size(trial.before)} | {format_size(trial.after)}"
    return f"{sizes} | {trial.modules} | {trial.entry_points} | {needs}"
