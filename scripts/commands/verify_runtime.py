"""Start every image hardened, and check what it does: modules, health, memory, stop, writes."""

from __future__ import annotations

import argparse

from scripts.catalog import catalog
from scripts.checks.runtime.verify import verify_one
from scripts.common import arguments
from scripts.common.errors import CHECK_FAILED, OK
from scripts.engine import client as engine
from scripts.report import show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    arguments.image_reference(parser, "promises")
    arguments.value(parser, "format", "how to print", show.FORMATS)


def main(options: argparse.Namespace) -> int:
    """Verify all images, or one reference by the rules of one entry; print the table."""
    arguments.require_pair(options)
    form = arguments.output_format(options, show.FORMATS)
    client, promises = engine.connect(), catalog.load_platforms()
    images = [promises.find(options.name)] if options.reference else promises.images
    results = [
        result
        for image in images
        for result in verify_one(client, promises, image, options.reference or image.reference)
    ]
    show.show(results, form)
    return OK if all(result.ok for result in results) else CHECK_FAILED
