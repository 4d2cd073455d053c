"""Check what every image holds against docs/verification.md."""

from __future__ import annotations

import argparse
import shlex
import sys

from scripts.catalog import catalog
from scripts.checks.contents import verify
from scripts.common import arguments
from scripts.common.errors import CHECK_FAILED, OK
from scripts.engine import client as engine
from scripts.image import read_layers
from scripts.oci.sources import Source
from scripts.report import show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    arguments.image_reference(parser, "rules")
    parser.add_argument("--all", action="store_true", help="print every finding, a line each")
    arguments.value(parser, "format", "how to print", show.FORMATS)


def main(options: argparse.Namespace) -> int:
    """Verify all images, or one reference by the rules of one entry; print the table."""
    arguments.require_pair(options)
    form = arguments.output_format(options, show.FORMATS)
    promises = catalog.load_platforms()
    sources_of: dict[str, Source] = {}
    if options.reference:  # may be a file, for which no engine has to be there
        client, pairs = None, [(promises.find(options.name), options.reference)]
    else:
        client = engine.connect()
        pairs = [(image, image.reference) for image in promises.images]
        sources_of = read_layers.read_together(client, [reference for _, reference in pairs])
    private = verify.private_certificates()
    results = []
    for image, reference in pairs:
        print(f"contents: {reference}", file=sys.stderr)
        source = sources_of.get(reference)
        results += verify.verify_one(
            client, promises, image, reference, private=private, source=source
        )
    show.show(results, form, options.all)
    failed = next((result.image for result in results if not result.ok), "")
    if failed:
        reference = next(reference for image, reference in pairs if image.name == failed)
        print(tip(failed, reference, options.all), file=sys.stderr)
    return CHECK_FAILED if failed else OK


def tip(name: str, reference: str, shown: bool = False) -> str:
    """Return what to do after a check of an image failed, all findings `shown` or not yet."""
    if shown:
        return "tip: fix the image, or allow it in images.yaml with a reason: docs/verification.md"
    words = shlex.join([reference, "--as", name])
    return f"tip: .venv/bin/python -m scripts verify-contents {words} --all"
