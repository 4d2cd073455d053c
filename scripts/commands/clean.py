"""Remove this project's containers, networks, images and cache, shown and asked."""

from __future__ import annotations

import argparse

from scripts.cleaning import clean, resources
from scripts.cleaning import scope as scopes
from scripts.cleaning.resource import Selection
from scripts.common import arguments, settings
from scripts.common.errors import OK
from scripts.engine import client as engine
from scripts.promotion import transaction


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    arguments.flag(parser, "yes", "do not ask, for pipelines")
    arguments.flag(parser, "data", "remove the data volumes too")
    arguments.flag(parser, "all", "remove what rollback needs too")
    arguments.flag(parser, "dry-run", "show the list, remove nothing")


def selection_of(knobs: dict[str, str]) -> Selection:
    """Return what is to go beside images and cache."""
    return Selection(settings.flag(knobs, "DATA"), settings.flag(knobs, "ALL"))


def main(options: argparse.Namespace) -> int:
    """Show what there is of the project, ask, and remove it."""
    knobs = arguments.knobs(options)
    yes, dry_run = settings.flag(knobs, "YES"), settings.flag(knobs, "DRY_RUN")
    selection = selection_of(knobs)
    client, name = engine.connect(), settings.project(knobs)
    with transaction.begun(client, dry_run):  # what a killed promotion left half moved
        owned = resources.of_project(client, scopes.read(name), selection)
    clean.show(name, owned)
    if dry_run or not clean.going(owned):
        return OK
    clean.confirm(owned, yes, f'remove all this of project "{name}"?')
    with transaction.exclusive(client):  # a promotion under way counts on what it saw
        clean.remove(client, owned)
    return OK
