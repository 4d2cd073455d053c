"""Recognise the resources of one project on the engine.

A project is a name: the value of the label LABEL on everything that it made. A name alone
("my-sutra-api", "sutra-foo") says nothing, and neither does a label alone: an image that
somebody built on one of ours inherits it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.build import bake as build
from scripts.common import platforms
from scripts.common.reference import tagged
from scripts.engine import buildx

LABEL = "org.sutra.project"
COMPOSE_LABEL = "com.docker.compose.project"
# groups of the bake file that together tag every image
GROUPS = ("prod", "dev")
# a tag that a build moves to ":prod" when all of it is there
STAGED = re.compile(r":building-\d+$")
# the project's name, as Dockerfiles write it
VARIABLE = "${SUTRA_PROJECT}"
CACHE_ID = re.compile(r"--mount=\S*type=cache\S*")


@dataclass(frozen=True)
class Scope:
    """One project: its name, the tags that its bake file sets, its cache mounts' ids."""

    project: str
    tags: frozenset[str]
    caches: frozenset[str] = frozenset()

    def owns(self, reference: str) -> bool:
        """Return whether "sutra-api:1.4.2", or one of another platform, is a tag of ours."""
        named = tagged(reference)
        ours = {own.name for own in map(tagged, self.tags) if own}
        return named is not None and platforms.image_of(named.name) in ours

    def rebuilds(self, reference: str) -> bool:
        """Return whether a build sets this tag again: ":prod" and ":dev", never ":1.4.2"."""
        return platforms.image_of(reference) in self.tags or bool(STAGED.search(reference))

    def labels(self) -> list[str]:
        """Return the labels by which the engine can be asked for what is the project's."""
        return [f"{LABEL}={self.project}", f"{COMPOSE_LABEL}={self.project}"]

    def has_both_labels(self, labels: Mapping[str, str] | None) -> bool:
        """Return whether something is labelled by the project and by its compose stack."""
        return {(labels or {}).get(key) for key in (LABEL, COMPOSE_LABEL)} == {self.project}


def read(project: str, groups: Iterable[str] = GROUPS) -> Scope:
    """Read the bake file and its Dockerfiles, and return what the project calls its own."""
    plan = buildx.bake_plan(list(groups), {})
    tags = {tag for target_tags in build.requested_tags(plan).values() for tag in target_tags}
    return Scope(project, frozenset(tags), cache_ids(project, plan["target"].values()))


def cache_ids(project: str, targets: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return the ids of cache mounts in the targets' Dockerfiles that name the project.

    A mount without an id has its path for one, and that is everybody's.
    """
    ids: set[str] = set()
    for target in targets:
        file = Path(target["context"]) / target["dockerfile"]
        for mount in CACHE_ID.findall(file.read_text(encoding="utf-8")):
            ids.update(re.findall(r"[=,]id=([^,\s]+)", mount))
    return frozenset(
        cache_id.replace(VARIABLE, project) for cache_id in ids if VARIABLE in cache_id
    )
