"""Give a service another name, in its folder and in the files that all share."""

from __future__ import annotations

import argparse
import sys

from scripts.common import arguments
from scripts.common.errors import OK
from scripts.services import mentions, rename
from scripts.services.run import run
from scripts.services.words import Words

WHO = "rename-service"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    arguments.value(parser, "name", "the service's image")
    arguments.value(parser, "to", "its new name")
    arguments.flag(parser, "dry-run", "show the changes and make none")


def main(options: argparse.Namespace) -> int:
    """Rename it, and name the files that still have the old name."""
    knobs = arguments.knobs(options)
    name, to = (knobs.get(knob, "").strip() for knob in ("NAME", "TO"))
    if run(WHO, rename.steps(name, to), knobs):
        for line in mentions.remaining(Words(name)):
            print(line, file=sys.stderr)
        print(
            f"{WHO}: {name} is {to}; the images of the old name stay for rollback, "
            "`make clean` removes them",
            file=sys.stderr,
        )
    return OK
