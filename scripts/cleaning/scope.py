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
from scripts.common import git, platforms
from scripts.common.git import GitError
from scripts.common.reference import tagged
from scripts.engine import buildx
from scripts.history import ledger
from scripts.services import shared_files

LABEL = "org.sutra.project"
COMPOSE_LABEL = "com.docker.compose.project"
# groups of the bake file that together tag every image
GROUPS = ("prod", "dev")
# a tag that a build moves to ":prod" when all of it is there
STAGED = re.compile(r":building-\d+$")
# the project's name, as Dockerfiles write it
VARIABLE = "${SUTRA_PROJECT}"
# tags and cache mounts of a service, as its sample has them
FORMER_TAGS, FORMER_CACHES = ("prod", "dev"), ("target", "test")
CACHE_ID = re.compile(r"--mount=\S*type=cache\S*")


@dataclass(frozen=True)
class Scope:
    """One project: its name, the tags that its bake file sets, its cache mounts' ids.

    `former` are the names of images that were promoted or listed, and that the file has no more.
    """

    project: str
    tags: frozenset[str]
    caches: frozenset[str] = frozenset()
    former: frozenset[str] = frozenset()

    def owns(self, reference: str) -> bool:
        """Return whether "sutra-api:1.4.2", or one of another platform, is a tag of ours."""
        named = tagged(reference)
        ours = self.former | _names(self.tags)
        return named is not None and platforms.image_of(named.name) in ours

    def rebuilds(self, reference: str) -> bool:
        """Return whether a build sets this tag again: ":prod" and ":dev", never ":1.4.2".

        Of an image that nothing builds any more, whether a build set it.
        """
        tags = self.tags | {f"{name}:{tag}" for name in self.former for tag in FORMER_TAGS}
        return platforms.image_of(reference) in tags or bool(STAGED.search(reference))

    def labels(self) -> list[str]:
        """Return the labels by which the engine can be asked for what is the project's."""
        return [f"{LABEL}={self.project}", f"{COMPOSE_LABEL}={self.project}"]

    def has_both_labels(self, labels: Mapping[str, str] | None) -> bool:
        """Return whether something is labelled by the project and by its compose stack."""
        return {(labels or {}).get(key) for key in (LABEL, COMPOSE_LABEL)} == {self.project}


def read(project: str, groups: Iterable[str] = GROUPS) -> Scope:
    """Read the bake file with its Dockerfiles, and return what the project calls its own.

    The ledger and the file's history know services that were removed or renamed since.
    """
    plan = buildx.bake_plan(list(groups), {})
    tags = {tag for target_tags in build.requested_tags(plan).values() for tag in target_tags}
    caches = cache_ids(project, plan["target"].values())
    promoted = {platforms.image_of(name) for entry in ledger.read() for name in entry.images}
    former = frozenset((promoted | _once_listed()) - _names(tags))
    caches |= {f"{project}-{name}-{cache}" for name in former for cache in FORMER_CACHES}
    return Scope(project, frozenset(tags), caches, former)


def _once_listed() -> set[str]:
    """Return the services that the bake file's list had in any commit; none without git."""
    try:
        log = git.ask("log", "--patch", "--format=", "--", str(buildx.BAKE_FILE))
    except GitError:
        return set()
    changed = (line[1:] for line in log.decode("utf-8", "replace").splitlines() if line[:1] in "+-")
    return {
        service.name for service in shared_files.listed("".join(f"{line}\n" for line in changed))
    }


def _names(tags: Iterable[str]) -> set[str]:
    return {reference.name for reference in map(tagged, tags) if reference}


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
