"""Run one service's own tests on its cleaned tree: the stage `test` of its Dockerfile.prod.

Exit code 1 where a test fails, 2 where the tree that they run on could not be built.
"""

from __future__ import annotations

import argparse
import sys

from scripts.build import bake
from scripts.build.failure import StepError
from scripts.checks.package_tests import SUFFIX
from scripts.common.errors import CHECK_FAILED, OK, SutraError
from scripts.common.text import escaped
from scripts.engine import buildx
from scripts.engine import client as engine
from scripts.services import service_parts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("service", help="its image, or its folder in packages/")


def main(options: argparse.Namespace) -> int:
    """Build the target that runs the tests."""
    name = named(options.service)
    target = name + SUFFIX
    try:
        bake.build(engine.connect(), [target])
    except StepError as error:
        if not is_of_tests(error.step):
            raise
        print(f'{buildx.BAKE_FILE}: target.{target}: tests failed "{error.step}"', file=sys.stderr)
        again = f"fix it, then run `make test-package PACKAGE={name}` again"
        print(f"tip: their output is above; {again}", file=sys.stderr)
        return CHECK_FAILED
    return OK


def is_of_tests(step: str) -> bool:
    """Return whether a step ("sutra-api-test test 4/5") is of a stage that runs tests."""
    stage = (step.split()[-2:-1] or [""])[0]
    return stage == "test" or stage.endswith(SUFFIX)


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
