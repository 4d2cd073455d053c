"""`make reproduce`: build a promoted image again, and say whether it is the same to the byte."""

from __future__ import annotations

import argparse
import sys
import time

from scripts.catalog import catalog
from scripts.common import arguments
from scripts.common.errors import CHECK_FAILED, OK
from scripts.engine import client as engine
from scripts.history import ledger
from scripts.reproduce.compare import first_difference
from scripts.reproduce.moved import layers_again, read
from scripts.reproduce.promoted import choose

TIP = "tip: docs/reproducible-builds.md says what makes layers differ, and what to do about each"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("image", help="an image of images.yaml")
    arguments.value(parser, "digest", "id or digest of a promoted image; default: the current one")


def main(options: argparse.Namespace) -> int:
    """Compare what was promoted with a build of its commit, without cache."""
    digest = arguments.knobs(options).get("DIGEST", "")
    image = catalog.load().find(options.image)
    client, started = engine.connect(), time.monotonic()
    chosen = choose(client, ledger.read(), image.name, digest)
    before = read(client, chosen.reference)
    with layers_again(client, image.name, chosen.commit, before) as after:
        difference = first_difference(before, after)
    took = f"{len(before.layers)} layers, built again in {time.monotonic() - started:.0f} s"
    if not difference:
        print(f"identical: {image.name} {before.id} ({took})")
        return OK
    print(f"{image.name}: {difference}", file=sys.stderr)
    print(TIP, file=sys.stderr)
    return CHECK_FAILED
