"""Record every image's sizes for this commit, which pull requests are held against."""

from __future__ import annotations

import argparse
import os

from scripts.catalog import catalog
from scripts.checks.sizes import pull_request
from scripts.common import files, settings
from scripts.common.errors import OK
from scripts.engine import client as engine
from scripts.history import size_records


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no arguments."""


def main(options: argparse.Namespace) -> int:
    """Write the record below .build/sizes, and print its path."""
    promises = catalog.load()
    commit, text = pull_request.record(engine.connect(), promises)
    place = size_records.FOLDER / size_records.place(settings.base(os.environ), commit)
    files.write(place, text, "record-sizes", f"`df -h {size_records.FOLDER.parent}` says more")
    print(place)
    return OK
