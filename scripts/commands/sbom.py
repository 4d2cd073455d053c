"""Write an image's bill of materials to .build/sbom, as SPDX 2.3 and as CycloneDX 1.6."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from scripts.catalog import catalog
from scripts.common import files
from scripts.common.errors import CHECK_FAILED, OK
from scripts.image import inventory
from scripts.sbom import components, cyclonedx, locks, spdx
from scripts.sbom.made_at import made_at

FOLDER = Path(".build/sbom")
TIP = (
    "tip: `make prod` builds it from the locks that are here; `make cleanup-report` shows what went"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("image", help="an image of images.yaml")
    parser.add_argument("reference", nargs="?", help="any reference; default: IMAGE:prod")


def main(options: argparse.Namespace) -> int:
    """Write both documents; print counts, files of no package, and what was lost."""
    promises = catalog.load()
    image = promises.find(options.image)
    reference = options.reference or image.reference
    content = inventory.read(None, reference)
    if content is None:
        raise promises.not_built(image, reference)
    bill = components.of(content)
    created = made_at(content)
    _write(image.name, "spdx", spdx.document(image.name, bill, created))
    _write(image.name, "cdx", cyclonedx.document(image.name, bill, created))
    counts = ", ".join(f"{count} {kind}" for kind, count in bill.counts().items())
    print(f"{reference}: {counts or 'no packages'}, {len(bill.unowned)} files of no package")
    for entry in bill.unowned:
        print(f"  of no package: /{entry.path}")
    folder = locks.folder_of(image.name)
    lines = locks.lost(bill, folder) if folder else []
    if lines:
        print(*lines, TIP, sep="\n", file=sys.stderr)
    return CHECK_FAILED if lines else OK


def _write(name: str, form: str, document: dict[str, object]) -> None:
    path = FOLDER / f"{name}.{form}.json"
    files.write(path, json.dumps(document, indent=1), "sbom", f"`ls -ld {FOLDER}` says more")
    print(path)
