"""Print what a pull request's record changes in sizes, for a comment; nothing where nothing did."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from scripts.checks.sizes import pull_request
from scripts.common import settings
from scripts.common.errors import OK, SutraError
from scripts.history import size_records
from scripts.report import pull_request as report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("record", type=Path, help="the file that `make record-sizes` wrote for it")
    parser.add_argument("branch", help="the branch that it is for")
    parser.add_argument("commit", help="the commit of that branch that it was merged with")


def main(options: argparse.Namespace) -> int:
    """Print the table, or one line where there is nothing to compare with."""
    text = size_records.read_unpushed(options.record)
    kept = size_records.find(options.branch, settings.base(os.environ), head=options.commit)
    if kept is None:
        where = f"{size_records.REMOTE}/{size_records.BRANCH}"
        raise SutraError(
            f'sizes: {where} has no record of "{options.branch}"',
            f"the next push to {options.branch} records its sizes",
        )
    compared = pull_request.compare_record(text, str(options.record), kept)
    if table := report.markdown(compared):
        print(table)
    return OK
