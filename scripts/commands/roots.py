"""Refresh the root image of each platform, and print where it comes from."""

from __future__ import annotations

import argparse
import os
import sys

from scripts.build import root_image
from scripts.common import platforms
from scripts.common.errors import OK
from scripts.engine import builders, buildx
from scripts.engine import client as engine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no arguments."""


def main(options: argparse.Namespace) -> int:
    """Refresh the root image."""
    image = root_image.root_image(buildx.bake_plan(("bases",), {}))
    client, builder = engine.connect(), builders.find()
    for architecture in platforms.read(os.environ):
        context = root_image.context(
            client, image, fresh=True, builder=builder, architecture=architecture
        )
        shown = platforms.shown(architecture, image)
        print(f"roots: {shown}: {context or 'left to the engine'}", file=sys.stderr, flush=True)
    return OK
