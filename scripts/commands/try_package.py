"""Run the shared cleanup rules on fresh installs of packages, and say what each needs."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from scripts.common.errors import CHECK_FAILED, OK, SutraError
from scripts.common.units import format_size
from scripts.trial import suite, table
from scripts.trial.trial import Trial, try_package


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("package", nargs="?", help='as pip knows it: sqlalchemy, "psycopg[binary]"')
    parser.add_argument("--list", type=Path, help="try all packages of this file instead")
    parser.add_argument("--write", action="store_true", help="write the table of docs/packages.md")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def main(options: argparse.Namespace) -> int:
    """Print what broke, and the entries of a manifest that leave the package whole."""
    if bool(options.package) == bool(options.list):
        raise SutraError(
            "try-package: needs a package or a list", "make try-package PACKAGE=sqlalchemy"
        )
    if options.list:
        return _try_all(options)
    trial = try_package(options.package)
    print(json.dumps(trial.as_dict()) if options.format == "json" else "\n".join(lines(trial)))
    return _code(trial)


def _try_all(options: argparse.Namespace) -> int:
    ranks = suite.read_list(options.list)
    trials = []
    for trial in suite.run(ranks, len(os.sched_getaffinity(0))):
        trials.append(trial)
        print(*lines(trial), sep="\n", flush=True)
    if options.write:
        table.write(trials, ranks)
    return max(map(_code, trials), default=OK)


def _code(trial: Trial) -> int:
    return OK if trial.ok and not trial.entries else CHECK_FAILED


def lines(trial: Trial) -> list[str]:
    """Return the result as lines for a person."""
    rows = [
        f"{trial.package} {trial.version}".strip() + ":",
        *(f"  broke {reason}" for reason in trial.broke),
    ]
    if not trial.ok:
        return [*rows, "  no known manifest entry keeps it working"]
    rows.append(
        f"  {format_size(trial.before)} → {format_size(trial.after)}, {trial.modules} modules "
        f"and {trial.entry_points} entry points proven"
    )
    if trial.entries:
        rows.append(f"  add to the service's cleanup.yaml: {trial.entries}")
    return rows
