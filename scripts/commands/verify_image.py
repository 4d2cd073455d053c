"""Check images that were not built here: budgets and contents, by a catalogue of their own."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from scripts.catalog import foreign
from scripts.checks import foreign as checks
from scripts.common.check_result import CheckResult
from scripts.common.errors import CHECK_FAILED, OK
from scripts.common.text import printable
from scripts.report import show

CATALOG = "images.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "image",
        nargs="?",
        default="",
        help="a tag of the engine, archive:FILE, oci:FOLDER or registry:HOST/NAME:TAG; "
        "without it, the tags of the catalogue",
    )
    parser.add_argument(
        "--like",
        default=CATALOG,
        metavar="FILE#NAME",
        help=f"the catalogue, and whose promises hold; default: {CATALOG}",
    )
    parser.add_argument("--all", action="store_true", help="print every finding, a line each")
    parser.add_argument("--format", default="table", choices=show.FORMATS, help="how to print")
    parser.set_defaults(program=parser.prog)


def main(options: argparse.Namespace) -> int:
    """Check one image, or all of the catalogue; print the tables."""
    file, name = foreign.file_and_name(options.like)
    catalogue = foreign.load(Path(file or CATALOG))
    cache = checks.cache_folder()
    results: list[CheckResult] = []
    chosen = catalogue.chosen(name, options.image)
    for image, reference in chosen:
        print(printable(f"{image.name}: {reference}"), file=sys.stderr)
        results += checks.verify(catalogue, image, reference, cache)
    show.show(results, options.format, options.all)
    failed = {result.image for result in results if not result.ok}
    for image, reference in chosen:
        if image.name in failed:
            words = shlex.join([reference, "--like", f"{catalogue.promises.path}#{image.name}"])
            print(printable(_tip(f"{options.program} {words}", options.all)), file=sys.stderr)
            break
    return CHECK_FAILED if failed else OK


def _tip(command: str, shown: bool) -> str:
    """Return what to do after a check failed, all findings `shown` or not yet."""
    if shown:
        return (
            "tip: fix the image, or allow it in the catalogue with a reason: "
            "contents: {RULE: {allow: [PATH], because: …}}"
        )
    return f"tip: {command} --all"
