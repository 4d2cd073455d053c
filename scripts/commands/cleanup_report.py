"""Show what the cleanup did to an image: bytes by rule and by package, from the image itself."""

from __future__ import annotations

import argparse
import io
import json
import tarfile
from typing import Any

from rich.markup import escape
from rich.table import Table
from sutra_cleanup.tree import show

from scripts.catalog import catalog
from scripts.common import terminal
from scripts.common.errors import OK, SutraError
from scripts.common.units import format_size
from scripts.engine import client as engine
from scripts.engine import images

PLACES = {"sutra-base-python": "/usr/share/sutra/cleanup-base.json"}
PLACE = "/usr/share/sutra/cleanup.json"


def read(client: engine.Client, image: catalog.Image) -> dict[str, Any]:
    """Return the report that the image carries. Raises SutraError if it carries no report."""
    place = PLACES.get(image.name, PLACE)
    content = images.read_file(client, image.reference, place)
    if content is None:
        raise SutraError(f'cleanup-report: no {place} in "{image.reference}"', "run `make build`")
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        file = archive.extractfile(archive.getmembers()[0])
        return dict(json.load(file)) if file else {}


def tables(report: dict[str, Any]) -> list[Table]:
    """Return one table of rules and one of packages, the largest first."""
    rules = Table("rule", "files", "bytes", "why")
    for name, row in sorted(report["rules"].items(), key=lambda item: -item[1]["bytes"]):
        rules.add_row(name, str(row["files"]), format_size(row["bytes"]), escape(row["why"]))
    stripped, deduped = report["stripped"], report["deduped"]
    rules.add_row("strip", str(stripped["files"]), format_size(stripped["saved"]), "symbols")
    rules.add_row("dedupe", str(deduped["files"]), format_size(deduped["saved"]), "the same twice")
    if described := report.get("described"):  # reports of older images have none
        files, saved = str(described["files"]), format_size(described["saved"])
        rules.add_row("descriptions", files, saved, "for an index alone")
    packages = Table("package", "before", "after")
    for name, row in report["packages"].items():
        packages.add_row(name, format_size(row["before"]), format_size(row["after"]))
    return [rules, packages]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("image", help="an image of images.yaml")


def main(options: argparse.Namespace) -> int:
    """Print both tables, and what strip damaged and was put back."""
    image = catalog.load().find(options.image)
    report = read(engine.connect(), image)
    console = terminal.console()
    for table in tables(report):
        console.print(table)
    for path in report.get("stand_ins", []):  # reports of older images have none
        print(f"raises an error when used: {show(path)}")
    for path, why in report["stripped"]["restored"]:
        print(f"put back after strip: {show(path)}: {show(why)}")
    print(
        f"{format_size(report['before'])} → {format_size(report['after'])}, "
        f"{report['proven']} modules proven"
    )
    return OK
