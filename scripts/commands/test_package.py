"""Run one service's own tests on its cleaned tree: the stage `test` of its Dockerfile.prod."""

from __future__ import annotations

import argparse

from scripts.build import bake
from scripts.checks.package_tests import SUFFIX
from scripts.common.errors import OK, SutraError
from scripts.common.text import escaped
from scripts.engine import client as engine
from scripts.services import service_parts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("service", help="its image, or its folder in packages/")


def main(options: argparse.Namespace) -> int:
    """Build the target that runs the tests."""
    target = named(options.service) + SUFFIX
    bake.build(engine.connect(), [target])
    return OK


def named(word: str) -> str:
    """Return the image of the service that is called so. Raises SutraError without one."""
    services = service_parts.listed()
    for service in services:
        if word in (service.name, service.folder):
            return service.name
    problem = f'no such service "{escaped(word)}"' if word else "missing"
    raise SutraError(
        f"PACKAGE: {problem}", f"one of: {' '.join(service.name for service in services)}"
    )
