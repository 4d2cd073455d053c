"""What a build for another platform needs besides: the root image of that platform, an emulator.

Rust and Go compile on the builder's own platform, and the base of their servers is only unpacked
there: these need neither. Python's base and services are made there too, and need an emulator for
their own Python. A Dockerfile that begins with the root of the platform needs both; on a node of
that platform in a farm everything begins with it, and nothing is emulated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from scripts.build import dockerfile_lines, root_image
from scripts.common import platforms
from scripts.common.errors import SutraError
from scripts.engine import builder_nodes, emulator
from scripts.engine import client as engine
from scripts.engine.builders import Builder

DEVELOPMENT = "-dev"
# option of a FROM that names the builder's own platform, and a stage that no other platform has
OWN_PLATFORM = "--platform=$BUILDPLATFORM"
ALPINE = "alpine:"
# words with which a stage of the builder's own platform runs a program of another root
CHROOT = "chroot /"


def refuse_development(targets: Iterable[str]) -> None:
    """Raise SutraError for a development image: its tools are to run on this machine."""
    for target in targets:
        if target.endswith(DEVELOPMENT):
            raise SutraError(
                f'{platforms.KNOB}: development images are built for this machine alone "{target}"',
                f"leave {platforms.KNOB} out",
            )


def begins_with_root(plan: Mapping[str, Any], root: str, folder: Path = Path()) -> bool:
    """Return whether a target of the plan begins with the root image of its own platform."""
    # "debian:trixie-slim" is "FROM debian:${DEBIAN_VERSION}" there
    begins = re.compile(rf"^FROM {re.escape(root.partition(':')[0])}:", re.MULTILINE)
    return any(begins.search(text) for text in _dockerfiles(plan, folder))


def runs_programs(plan: Mapping[str, Any], folder: Path = Path()) -> bool:
    """Return whether a step of the plan runs a program of the platform that is built for."""
    return any(_runs_programs(text) for text in _dockerfiles(plan, folder))


def _dockerfiles(plan: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Yield the Dockerfiles of what is built for another platform than the builder's own."""
    files = {
        folder / target.get("context", ".") / target.get("dockerfile", "Dockerfile")
        for target in plan["target"].values()
        if target.get("platforms")
    }
    return (file.read_text("utf-8") for file in sorted(files) if file.is_file())


def _runs_programs(text: str) -> bool:
    """Return whether a Dockerfile has such a step: in a stage of the platform, or by chroot."""
    own: set[str] = set()  # stages that no program of the platform is run in by itself
    is_own = False
    for word, operands in dockerfile_lines.instructions(text):
        if word == "FROM":
            image, *name = [part for part in operands.split() if not part.startswith("--")][::2]
            is_own = OWN_PLATFORM in operands or image in own or image.startswith(ALPINE)
            own |= set(name) if is_own else set()
        elif word == "RUN" and (not is_own or CHROOT in operands):
            return True
    return False


def root_variable(
    client: engine.Client,
    plan: Mapping[str, Any],
    builder: Builder,
    architecture: str,
) -> dict[str, str]:
    """Return the variables that say where the plan's root image of another platform comes from.

    None where no target begins with it. Raises SutraError where programs of that platform are to
    run, and the engine's own builder could not run them.
    """
    image = root_image.root_image(plan)
    native = builder_nodes.is_native(builder.nodes, architecture)
    if builder.is_engine and not engine.is_remote(client) and runs_programs(plan):
        emulator.require(architecture)
    if not image or not (native or begins_with_root(plan, image)):
        return {}
    context = root_image.context(client, image, builder=builder, architecture=architecture)
    digest = root_image.digest(client, image, bootstrapped=bool(context), architecture=architecture)
    root = {"PLATFORM_ROOT": f"{image}@{digest}"} if digest else {}
    return {"PLATFORM_ROOT_CONTEXT": context, **root}
