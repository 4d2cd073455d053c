"""Remove a service, whole or half there: its folder, and its part of the files that all share."""

from __future__ import annotations

import argparse
import sys

from scripts.common import arguments
from scripts.common.errors import OK
from scripts.services import mentions, remove
from scripts.services.run import run
from scripts.services.words import Words

WHO = "remove-service"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    arguments.value(parser, "name", "the service's image")
    arguments.flag(parser, "yes", "do not ask, as in pipelines")
    arguments.flag(parser, "dry-run", "show what goes and remove nothing")


def main(options: argparse.Namespace) -> int:
    """Show what goes, ask, remove it, and name the files that still have the name."""
    knobs = arguments.knobs(options)
    name = knobs.get("NAME", "").strip()
    todo = remove.steps(name)
    if run(WHO, todo, knobs, f'remove the service "{name}"?'):
        for line in mentions.remaining(Words(name)):
            print(line, file=sys.stderr)
        print(f"{WHO}: {name} is gone; `make clean` removes its images", file=sys.stderr)
    return OK
