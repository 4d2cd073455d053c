"""Choose where a root image comes from: the engine, its registry, or our own bootstrap.

A root that the engine holds is left to BuildKit. One that its registry serves is pulled
first: an image that only BuildKit pulled is lost when the registry is gone. Where no registry
answers, Debian is bootstrapped into an OCI layout, which bake takes as a named context.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.build import bootstrap, root_folder, root_store
from scripts.build.root_folder import CACHE, REGISTRY_SECONDS, folder
from scripts.common import durations, platforms, settings
from scripts.engine import builders, images, registries
from scripts.engine import client as engine
from scripts.engine.builders import Builder

# A root is 30 MB: 100 kB a second.
PULL_SECONDS = 300


def root_image(plan: Mapping[str, Any]) -> str:
    """Return the root image that the plan builds on ("debian:trixie-slim"), or "".

    Raises SutraError for a BASE that no Dockerfile has a stage for.
    """
    for target in plan["target"].values():
        arguments = target.get("args", {})
        if base := arguments.get("BASE"):
            settings.refuse_base(base)
            # a service may have BASE alone, for steps of its own
            if version := arguments.get(f"{base.upper()}_VERSION"):
                return f"{base}:{version}"
    return ""


def context(
    client: engine.Client,
    image: str,
    cache: Path = CACHE,
    fresh: bool = False,
    builder: Builder = builders.OWN,
    architecture: str = platforms.OWN,
) -> str:
    """Return the bake context for the root `image` ("debian:trixie-slim").

    An empty string leaves the image to BuildKit. Otherwise it is a root that was
    bootstrapped here: now, or by an earlier call, whose layout is reused unless `fresh`.
    Raises SutraError when there is no way to get the root.
    """
    layout = folder(image, architecture, cache)
    # another builder does not see the engine's images; a tag of the engine's is of one platform
    is_pulled = builder.is_engine and not architecture
    held = is_pulled and images.inspect(client, image) is not None
    if held and not fresh:
        return ""
    if fresh or not root_folder.is_filled(layout):
        refusal = registries.registry_refusal(image, REGISTRY_SECONDS)
        if not refusal and is_pulled:
            refusal = pull(image)
        if not refusal:
            shutil.rmtree(layout, ignore_errors=True)  # a bootstrap of when no registry answered
            return ""
        bootstrap.say(f"{image}: no registry serves it ({refusal})")
        if held:
            return ""
        root_folder.fill(image, layout, fresh, architecture)
    return root_store.context(client, image, layout, builder, architecture)


def digest(
    client: engine.Client,
    image: str,
    bootstrapped: bool,
    cache: Path = CACHE,
    architecture: str = platforms.OWN,
) -> str:
    """Return the digest of the root that `context` chose, "" where only its builder knows it."""
    if bootstrapped:
        return root_store.digest(folder(image, architecture, cache))
    return min(images.digests(client, image), default="")


def pull(image: str) -> str:
    """Have the engine keep the root; return "", or why it was not pulled in time."""
    bootstrap.say(f"{image}: pulling it")
    with durations.step(f"pull {image}"):
        return registries.pull_refusal(image, PULL_SECONDS)
