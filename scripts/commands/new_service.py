"""Add a service: a copy of its language's sample, and its part of the files that all share."""

from __future__ import annotations

import argparse
import sys

from scripts.common import arguments
from scripts.common.errors import OK
from scripts.services import add
from scripts.services.run import run

WHO = "new-service"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    arguments.value(parser, "name", "its image and folder, such as sutra-example")
    arguments.value(parser, "language", "python, rust, go or node")
    arguments.value(parser, "port", "port to listen on; default: the next free one")
    arguments.flag(parser, "dry-run", "show the files and write none")


def main(options: argparse.Namespace) -> int:
    """Write the service's files, and its line, budget, compose service and rows of docs."""
    knobs = arguments.knobs(options)
    name, language, port = (knobs.get(knob, "").strip() for knob in ("NAME", "LANGUAGE", "PORT"))
    if run(WHO, add.steps(name, language, port), knobs):
        print(
            f"{WHO}: {name} is there: write packages/{name} and commit it all, as "
            "`make prod` promotes only commits; `make dev budgets readme` writes its figures",
            file=sys.stderr,
        )
    return OK
