"""Build groups of the bake file on the real engine, all of them or none.

Knobs come from the environment (see `make help`); what the bake file cannot know
is added here: the root image's context, the private CA, and the labels of the
project and the commit. Images get their tags only when every target was built.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from scripts.build import cache, cross, root_image
from scripts.build.failure import FULL, failure, is_forgotten
from scripts.catalog import bake_match, catalog
from scripts.common import git, platforms
from scripts.common import settings as knobs
from scripts.common.errors import SutraError
from scripts.engine import builder_nodes, builders, buildx, images, tags
from scripts.engine import client as engine
from scripts.engine.builders import Builder

# What a first build of everything takes on the engine's disk, and what a later one does.
COLD_BYTES = 5_000_000_000
WARM_BYTES = 1_000_000_000
# tag of this run alone: another checkout may build on the same engine
STAGING = f"building-{os.getpid()}"
GROUP = "prod"
ONCE_MORE = (
    "build: BuildKit has forgotten a step, a fault of its own: building what is left once more"
)
# the knob that takes in updates of packages, its value, and the folder of the bases' Dockerfiles
REFRESH, BASES, CONTEXT = "REFRESH", "bases", "base-images"


def build(
    client: engine.Client,
    groups: Sequence[str],
    environment: Mapping[str, str] = os.environ,
    no_cache: bool = False,
    begun: Callable[[Mapping[str, str]], None] | None = None,
) -> dict[str, str]:
    """Build every target of `groups` for each of PLATFORMS, and tag the images; return ids by tag.

    `no_cache` runs every step again, whatever an earlier build left. `begun` is called with the
    bake file's variables when the steps for this machine's own platform begin. Where this raises
    SutraError no tag has moved.
    """
    settings, architectures = variables(environment), platforms.read(environment)
    builder = builders.find(environment)
    if kept := cache.read(environment):
        cache.require_export(client, builder)
    ids: dict[str, str] = {}
    with ExitStack() as stack:
        for architecture in architectures:
            ids |= build_platform(
                client,
                groups,
                settings | platform_variables(architecture, builder),
                Setting(
                    builder,
                    architecture,
                    kept and replace(kept, architecture=architecture),
                    environment,
                    no_cache,
                    begun,
                ),
                stack,
            )
        tags.apply(client, tags.plan(client, ids))
    return ids


@dataclass(frozen=True)
class Setting:
    """How the targets are built: where, for which architecture, with which cache and knobs.

    `begun` is called when the steps begin, for this machine's own platform alone.
    """

    builder: Builder
    architecture: str
    kept: cache.Cache | None
    environment: Mapping[str, str]
    no_cache: bool
    begun: Callable[[Mapping[str, str]], None] | None


def build_platform(
    client: engine.Client,
    groups: Sequence[str],
    settings: Mapping[str, str],
    how: Setting,
    staging: ExitStack,
) -> dict[str, str]:
    """Build every target of `groups` for one platform; return the id by the tag it is to get.

    The images have tags of this run until `staging` is closed.
    """
    plan = buildx.bake_plan(groups, settings)
    again = fresh(plan, how.environment)
    tags_by_target = requested_tags(plan)
    if GROUP in groups:
        bake_match.require_same_images(catalog.load(), tags_by_target, buildx.BAKE_FILE)
    if how.architecture:
        cross.refuse_development(tags_by_target)
    named = {
        name: [platforms.image_name(how.architecture, tag) for tag in tags_of_one]
        for name, tags_of_one in tags_by_target.items()
    }
    references = [tag for tags_of_one in named.values() for tag in tags_of_one]
    require_space(client, references, how.builder)
    if not how.architecture:
        settings = {**settings, **plan_variables(client, plan, how.builder)}
    else:
        settings = {**settings, **root_variable(client, plan, how.builder)}
        settings |= cross.root_variable(client, plan, how.builder, how.architecture)
    staged = {
        name: f"{platforms.image_name(how.architecture, name)}:{STAGING}" for name in tags_by_target
    }
    staging.enter_context(untagged_afterwards(client, list(staged.values())))
    _run(client, groups, settings, how, staged, [*loaded(plan, tags_by_target), *again])
    return built(client, named, staged)


def _run(
    client: engine.Client,
    groups: Sequence[str],
    settings: Mapping[str, str],
    how: Setting,
    staged: Mapping[str, str],
    more: Sequence[str],
) -> None:
    """Build the targets of `staged` under these tags, without a cache that turns out damaged.

    `more` are further overrides of the bake file. Raises SutraError when a step fails.
    """
    kept = how.kept
    with buildx.metadata_file() as metadata, cache.renewed(kept, staged):
        overrides = [f"{name}.tags={reference}" for name, reference in staged.items()]
        overrides += ["*.no-cache=true"] if how.no_cache else []
        overrides += more
        writes, reads = (kept.writes(staged), kept.reads(staged)) if kept else ([], [])
        if how.begun and not how.architecture:
            how.begun(settings)
        cached = [*overrides, *writes, *reads]
        code, lines = buildx.bake(groups, cached, settings, metadata)
        if code and is_forgotten(lines):
            print(ONCE_MORE, file=sys.stderr, flush=True)
            code, lines = buildx.bake(groups, cached, settings, metadata)
        if code and kept and cache.is_damaged(lines):
            cache.warn_damaged(kept.place, kept.is_folder)
            code, lines = buildx.bake(groups, [*overrides, *writes], settings, metadata)
        if code:
            raise failure(lines, how.builder, how.architecture)
        if not how.builder.is_engine:
            builders.refuse_other_images(client, how.builder, staged, metadata)


def platform_variables(architecture: str, builder: Builder) -> dict[str, str]:
    """Return the variables of the bake file for another platform than that of the builder.

    Raises SutraError where the node that is to build for it does not answer.
    """
    builders.require_nodes(builder, architecture)
    target = builder_nodes.named(builder.nodes, architecture)
    if not target:
        return {}
    native = builder_nodes.is_native(builder.nodes, target)
    return {
        "PLATFORM": platforms.name_of(target),
        **({"PLATFORM_NATIVE": "1"} if native else {}),
    }


def plan_variables(
    client: engine.Client, plan: Mapping[str, Any], builder: Builder
) -> dict[str, str]:
    """Return the variables with which a plan's targets are built for this machine's platform.

    They are those of the root image, and of the platform where the builder's first node is of
    another one.
    """
    root = root_variable(client, plan, builder)
    platform = platform_variables(platforms.OWN, builder)
    if not platform:
        return root
    own = {f"PLATFORM_{name}": value for name, value in root.items()}
    return {**root, **platform, **own}


def loaded(plan: Mapping[str, Any], targets: Iterable[str]) -> list[str]:
    """Return overrides that load into the engine what a bake file gives no output of its own.

    buildx would do so by itself, and would load what is only built upon as well.
    """
    return [
        f"{name}.output=type=docker" for name in targets if not plan["target"][name].get("output")
    ]


def fresh(plan: Mapping[str, Any], environment: Mapping[str, str]) -> list[str]:
    """Return overrides that run the steps of all base images again, where REFRESH=bases is set.

    Their packages are then today's; what comes out the same bytes keeps its digest. Raises
    SutraError for another value.
    """
    refreshed = environment.get(REFRESH, "")
    if refreshed not in ("", BASES):
        raise SutraError(f'{REFRESH}: unknown "{refreshed}"', f"{REFRESH}={BASES}, or leave it out")
    names = (name for name, target in plan["target"].items() if target.get("context") == CONTEXT)
    return [f"{name}.no-cache=true" for name in names] if refreshed else []


def variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the bake file that it cannot know."""
    labels = git.labels(allow_unreadable=knobs.flag(environment, "ALLOW_DIRTY"))
    created = epoch(labels.get("CREATED", ""))
    return {
        "CA_BUNDLE": knobs.ca_bundle(environment),
        knobs.KNOB: knobs.project(environment),
        **builders.variables(environment),
        **labels,
        **({"SOURCE_DATE_EPOCH": created} if created else {}),
    }


def epoch(created: str) -> str:
    """Return the seconds of a time ("2024-05-06T07:08:09+02:00"), "" where it is not one.

    BuildKit takes SOURCE_DATE_EPOCH for every time that it writes into an image's config.
    """
    try:
        return str(int(datetime.fromisoformat(created).timestamp()))
    except ValueError:
        return ""


def root_variable(
    client: engine.Client, plan: Mapping[str, Any], builder: Builder = builders.OWN
) -> dict[str, str]:
    """Return the variables that say where the plan's root image comes from; none without one.

    A ROOT_CONTEXT in the environment says it already. ROOT is what a provenance names.
    """
    image = root_image.root_image(plan)
    if os.environ.get("ROOT_CONTEXT") or not image:
        return {}
    context = root_image.context(client, image, builder=builder)
    digest = root_image.digest(client, image, bootstrapped=bool(context))
    return {"ROOT_CONTEXT": context, "ROOT": f"{image}@{digest}" if digest else ""}


def built(
    client: engine.Client,
    references_by_target: Mapping[str, Sequence[str]],
    staged: Mapping[str, str],
) -> dict[str, str]:
    """Return the image id for each wanted tag: the one that its staging tag has now."""
    ids = {}
    for name, references in references_by_target.items():
        image = images.inspect(client, staged[name])
        if image is None:
            raise SutraError(
                f'build: image no longer exists "{staged[name]}"', "run `make build` again"
            )
        wanted_for = platforms.split(staged[name])[0]
        if wanted_for and image.get("Architecture") != wanted_for:
            raise SutraError(
                f'build: "{name}" is an image for "{image.get("Architecture")}", '
                f"expected {wanted_for}",
                "the builder has no node of that platform, or its Dockerfile takes from another",
            )
        ids.update(dict.fromkeys(references, image["Id"]))
    return ids


def requested_tags(plan: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the tags of each target that was asked for: `{"sutra-api": ["sutra-api:prod"]}`.

    The plan lists targets that are only built upon, too; those are not exported.
    """
    tags_by_target: dict[str, list[str]] = {}
    names, groups = list(plan["group"]["default"]["targets"]), plan["group"]
    while names:
        name = names.pop(0)
        if name in groups and name != "default":
            names = [*groups[name]["targets"], *names]
        elif target_tags := plan["target"].get(name, {}).get("tags"):
            tags_by_target[name] = target_tags
    return tags_by_target


def require_space(
    client: engine.Client, references: Sequence[str], builder: Builder = builders.OWN
) -> None:
    """Raise SutraError when the engine's disk has too little free to build these images.

    Less is needed where all of them are there from an earlier build, or where another
    builder keeps the cache. The disk of another machine's engine cannot be seen from here.
    """
    root = engine.local_disk(client)
    if root is None:
        return
    there = bool(references) and all(images.inspect(client, reference) for reference in references)
    need = WARM_BYTES if there or not builder.is_engine else COLD_BYTES
    free = os.statvfs(root).f_bavail * os.statvfs(root).f_frsize
    if free < need:
        raise SutraError(
            f"build: {free / 1e9:.1f} GB free on the engine's disk, {need / 1e9:.1f} GB needed",
            FULL,
        )


@contextmanager
def untagged_afterwards(client: engine.Client, references: Sequence[str]) -> Iterator[None]:
    """Remove the tags `references` on the way out, also when the build failed."""
    try:
        yield
    finally:
        for reference in references:
            images.untag(client, reference)
