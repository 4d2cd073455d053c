"""Refresh the root image that the bake file builds on, and print where it comes from."""

from __future__ import annotations

import argparse
import sys

from scripts.build import root_image
from scripts.common.errors import OK
from scripts.engine import builders, buildx
from scripts.engine import client as engine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no arguments."""


def main(options: argparse.Namespace) -> int:
    """Refresh the root image."""
    image = root_image.root_image(buildx.bake_plan(("bases",), {}))
    context = root_image.context(engine.connect(), image, fresh=True, builder=builders.find())
    print(f"roots: {image}: {context or 'left to the engine'}", file=sys.stderr, flush=True)
    return OK
