"""Build the production images, or other groups and targets of the bake file, without checks."""

from __future__ import annotations

import argparse
import os
import sys

from scripts.build import bake
from scripts.common import platforms, settings
from scripts.common.errors import OK
from scripts.engine import client as engine
from scripts.services import half_there


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "groups", nargs="*", default=[bake.GROUP], help="groups or targets of the bake file"
    )


def main(options: argparse.Namespace) -> int:
    """Build the groups or targets that were named."""
    settings.base(os.environ)  # a wrong one needs no engine to be found
    platforms.read(os.environ)
    for line in half_there.refuse_half_there():
        print(line, file=sys.stderr)
    bake.build(engine.connect(), options.groups)
    return OK
