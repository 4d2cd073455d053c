"""What a build for another platform needs besides: the root image of that platform, an emulator.

Rust and Go compile on the builder's own platform, and the base of their servers is only unpacked
there: these need neither. A Dockerfile that runs programs of the platform begins with its root, and
so does everything on a node of that platform in a farm.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scripts.build import root_image
from scripts.common import platforms
from scripts.common.errors import SutraError
from scripts.engine import builder_nodes, emulator
from scripts.engine import client as engine
from scripts.engine.builders import Builder

DEVELOPMENT = "-dev"


def refuse_development(targets: Iterable[str]) -> None:
    """Raise SutraError for a development image: its tools are to run on this machine."""
    for target in targets:
        if target.endswith(DEVELOPMENT):
            raise SutraError(
                f'{platforms.KNOB}: development images are built for this machine alone "{target}"',
                f"leave {platforms.KNOB} out",
            )


def runs_programs(plan: Mapping[str, Any], root: str, folder: Path = Path()) -> bool:
    """Return whether a target of the plan begins with the root image of its own platform."""
    # "debian:trixie-slim" is "FROM debian:${DEBIAN_VERSION}" there
    begins = re.compile(rf"^FROM {re.escape(root.partition(':')[0])}:", re.MULTILINE)
    files = {
        folder / target.get("context", ".") / target.get("dockerfile", "Dockerfile")
        for target in plan["target"].values()
        if target.get("platforms")
    }
    return any(begins.search(file.read_text("utf-8")) for file in files if file.is_file())


def root_variable(
    client: engine.Client,
    plan: Mapping[str, Any],
    builder: Builder,
    architecture: str,
) -> dict[str, str]:
    """Return the variables that say where the plan's root image of another platform comes from.

    None where no target runs programs of that platform. Raises SutraError where the engine's
    own builder could not run them either.
    """
    image = root_image.root_image(plan)
    native = builder_nodes.is_native(builder.nodes, architecture)
    if not image or not (native or runs_programs(plan, image)):
        return {}
    if builder.is_engine and not engine.is_remote(client):
        emulator.require(architecture)
    context = root_image.context(client, image, builder=builder, architecture=architecture)
    digest = root_image.digest(client, image, bootstrapped=bool(context), architecture=architecture)
    root = {"PLATFORM_ROOT": f"{image}@{digest}"} if digest else {}
    return {"PLATFORM_ROOT_CONTEXT": context, **root}
