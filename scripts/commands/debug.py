"""Open a shell with tools beside a container that has none; nothing is written to it."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence

from scripts.catalog import catalog
from scripts.checks.runtime import service
from scripts.common import arguments
from scripts.common.errors import SutraError
from scripts.engine import client as engine
from scripts.engine import debugging, images, sandbox
from scripts.engine.debugging import Target
from scripts.engine.sandbox import Setup

TOOLS = "sutra-base-python:latest"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    arguments.value(
        parser, "image", "start a new container of this image, of images.yaml or any other"
    )
    arguments.value(parser, "container", "a running container, by name or id")
    arguments.value(parser, "tools", f"the image with the tools; default: {TOOLS}")
    arguments.value(parser, "command", "what to run instead of a shell")


def main(options: argparse.Namespace) -> int:
    """Run a shell, or a command, beside a running container or a new one."""
    knobs = arguments.knobs(options)
    image, container = knobs.get("IMAGE", ""), knobs.get("CONTAINER", "")
    if bool(image) == bool(container):
        raise SutraError(
            "debug: name an image or a container, one of them",
            "such as `make debug IMAGE=sutra-api` or `make debug CONTAINER=sutra-api-1`",
        )
    command = command_of(knobs.get("COMMAND", "")) or debugging.SHELL
    client = engine.connect()
    tools = knobs.get("TOOLS") or TOOLS
    if container:
        return _run(client, debugging.running(client, container), tools, command)
    return _beside_new(client, image, tools, command)


def command_of(text: str) -> list[str]:
    """Return the words of a command. Raises SutraError for one whose quotes have no end."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise SutraError(
            f'COMMAND: {str(error).lower()} "{text}"', "such as COMMAND='ls -l /target/app'"
        ) from error


def _beside_new(client: engine.Client, name: str, tools: str, command: Sequence[str]) -> int:
    """Start a container of an image, hardened and on a network of its own, and look at that."""
    promises = catalog.load()
    image = next((entry for entry in promises.images if entry.name == name), None)
    reference = image.reference if image else name
    inspected = images.inspect(client, reference)
    if inspected is None and image:
        raise promises.not_built(image, reference)
    if inspected is None:
        raise SutraError(f'debug: no such image "{name}"', "`docker images` lists them")
    with sandbox.network(client) as network:
        base = (
            service.setup_of(image, inspected, network)
            if image
            else Setup(inspected["Id"], (), network)
        )
        setup = debugging.setup_of(inspected, base)
        with debugging.started(client, reference, setup) as target:
            return _run(client, target, tools, command)


def _run(client: engine.Client, target: Target, tools: str, command: Sequence[str]) -> int:
    if target.runs:
        view = "its processes and network are shared, its files are under /target, read-only"
    else:
        view = f"no process to join: {target.why}; a copy of its files is under /target"
    print(f"debug: {target.name}: {view}", file=sys.stderr, flush=True)
    return debugging.shell(client, target, tools, command)
