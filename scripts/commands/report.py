"""Check everything and write it as one HTML file, .build/report.html."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scripts.catalog import catalog
from scripts.common import arguments
from scripts.common.errors import OK
from scripts.engine import client as engine
from scripts.report.html import collect, screenshot
from scripts.report.html.render import PAGE, render, write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    arguments.value(parser, "screenshot", "a PNG of the page's beginning, eg for docs")


def main(options: argparse.Namespace) -> int:
    """Check all images and write the page, and its picture where one is asked for."""
    picture = arguments.knobs(options).get("SCREENSHOT", "")
    if picture:
        screenshot.find_browser()  # before minutes of checks
    report = collect.gather(engine.connect(), catalog.load())
    write(PAGE, render(report))
    failed = len(report.failed)
    print(f"report: {PAGE} ({failed or 'no'} failed checks)", file=sys.stderr)
    if picture:
        screenshot.take(PAGE, Path(picture))
    return OK
