"""Images of an earlier commit than the one that is checked out: services that `make rebase` keeps.

Their layers are right for as long as a commit since then changes only what their bases are made of.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from scripts.build import bake, graph
from scripts.build.graph import Node
from scripts.catalog.catalog import Catalog
from scripts.common import git, platforms
from scripts.common.labels import BASE_DIGEST, BASE_NAME, REVISION, SCRATCH
from scripts.common.reference import tagged
from scripts.engine import buildx, images
from scripts.engine import client as engine
from scripts.rebase import own_files

# commit by image
Revisions = Mapping[str, str]


def rebased(client: engine.Client, ids: Mapping[str, str]) -> set[str]:
    """Return the images whose code may be older: those that `make rebase` put on another base.

    It alone sets BASE_DIGEST. Beside such an image, one without a base is where it was: there is
    nothing to put it on.
    """
    labels = {name: images.labels(client, identity) for name, identity in ids.items()}
    bases = _bases(labels.values())
    moved = {name for name in ids if BASE_DIGEST in labels[name]}
    without_base = {
        name
        for name in ids
        if labels[name].get(BASE_NAME, SCRATCH) == SCRATCH and name not in bases
    }
    return moved | without_base if moved else set()


def split(
    revisions: Revisions, commit: str, rebased: Collection[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the rebased images of a commit before `commit`, and all others that are not of it."""
    others = {name: revision for name, revision in revisions.items() if revision != commit}
    older = {
        name: revision
        for name, revision in others.items()
        if name in rebased and git.is_ancestor(revision, commit)
    }
    return older, {name: others[name] for name in others if name not in older}


@dataclass(frozen=True)
class Changes:
    """What changed under images of earlier commits: a line for each whose own files are others,
    and the images that a build would compile with other packages.
    """

    own: list[str]
    compiled_otherwise: list[str]


def changes(older: Revisions, commit: str) -> Changes:
    """Return what is otherwise in `commit`; the build graph is read once for all images."""
    nodes = _nodes() if older else {}
    return Changes(
        [
            line
            for name, revision in older.items()
            for line in own_files.problems(nodes, platforms.image_of(name), revision, commit)
        ],
        [
            name
            for name, revision in older.items()
            if own_files.compiled_otherwise(nodes, platforms.image_of(name), revision, commit)
        ],
    )


def services(client: engine.Client, promises: Catalog) -> dict[str, str]:
    """Return the commit of each service that is here: of what is on a base, or on nothing."""
    labels = {
        image.name: (inspected.get("Config") or {}).get("Labels") or {}
        for image in promises.images
        if (inspected := images.inspect(client, image.reference))
    }
    bases = _bases(labels.values())
    return {
        name: str(own[REVISION])
        for name, own in labels.items()
        if own.get(REVISION)
        and name not in bases
        and (own.get(BASE_NAME, SCRATCH) == SCRATCH or _bases([own]) & labels.keys())
    }


def _bases(labels: Iterable[Mapping[str, str]]) -> set[str]:
    """Return the images that the labels of others name as their bases."""
    references = (tagged(own.get(BASE_NAME, "")) for own in labels)
    return {reference.name for reference in references if reference}


def _nodes() -> dict[str, Node]:
    return graph.read(buildx.bake_plan([bake.GROUP], bake.variables(os.environ)))
