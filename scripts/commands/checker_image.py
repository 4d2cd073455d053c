"""Build the image of the checker, hold it to its own promises with itself, and tag it.

With REGISTRY it is pushed, and with SIGN_KEY signed, as `promote` does with a release's images.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from scripts.build import bake
from scripts.catalog import foreign
from scripts.checks import foreign as checks
from scripts.common import arguments, settings
from scripts.common.check_result import CheckResult
from scripts.common.errors import CHECK_FAILED, OK
from scripts.engine import client as engine
from scripts.engine import containers, sandbox
from scripts.engine.sandbox import Setup
from scripts.promotion import publish
from scripts.promotion.options import Options
from scripts.report import show

NAME = "sutra-images"
CATALOG = Path(f"packages/{NAME}/images.yaml")
SECONDS = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    arguments.value(parser, "format", "how to print", show.FORMATS)
    arguments.publication(parser)
    arguments.flag(parser, "dry-run", "build and check, show which tags would move, and move none")


def starts(client: engine.Client, identity: str) -> CheckResult:
    """Return whether the checker names its version, started hardened."""
    words = ("python", "-P", "-m", "sutra_images", "--version")
    try:
        code, output = sandbox.run(client, Setup(identity, words), SECONDS)
    except containers.CommandError as refused:
        code, output = -1, str(refused)
    is_good = code == 0 and output.startswith(NAME)
    problem = "" if is_good else f'ended with "{code}": {sandbox.one_line(output)}'
    count = int(not is_good)
    return CheckResult(NAME, "starts", is_good, count, 0, problem, "findings", (), str(CATALOG))


def main(options: argparse.Namespace) -> int:
    """Build, check, push, sign and tag; exit code 1 and no tag moved where a check failed."""
    form = arguments.output_format(options, show.FORMATS)
    settings.base(os.environ)
    chosen = Options.read(arguments.knobs(options))
    client, catalogue = engine.connect(), foreign.load(CATALOG)
    signing = publish.prepared(client, NAME, chosen)
    built = bake.build(client, [NAME])
    ((image, reference),) = catalogue.chosen(NAME, "")
    identity = built[reference]
    results = [*checks.verify(catalogue, image, identity, checks.cache_folder())]
    results.append(starts(client, identity))
    show.show(results, form)
    if not all(result.ok for result in results):
        return CHECK_FAILED
    publish.publish(client, NAME, identity, chosen, signing)
    return OK
