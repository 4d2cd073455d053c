"""A project's images on the engine, and why each stays."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scripts.cleaning.resource import Resource, Selection, used_by
from scripts.cleaning.scope import LABEL, Scope
from scripts.common.labels import TITLE
from scripts.common.reference import short
from scripts.engine import client as engine
from scripts.engine.images import history

# an image's title, and the steps of its history after the one that named it
Origin = tuple[str | None, tuple[str, ...]]


def images(
    client: engine.Client,
    listed: Collection[Mapping[str, Any]],
    scope: Scope,
    foreign: Collection[Mapping[str, Any]],
    selection: Selection,
) -> list[Resource]:
    """Return the project's images among all that are `listed`, those with tags first."""
    ours = [image for image in listed if (image["Labels"] or {}).get(LABEL) == scope.project]
    reasons = _Reasons(
        client,
        scope,
        selection,
        foreign,
        frozenset(image.get("ParentId") for image in listed),
        frozenset(_origin(client, image) for image in ours if _own_tags(image, scope)),
    )
    resources = [_resource(image, reasons) for image in ours if not _is_anothers(image, scope)]
    return sorted(resources, key=lambda resource: (not resource.tags, resource.name))


@dataclass(frozen=True)
class _Reasons:
    """The facts about all images that tell why one of them stays.

    `foreign` are other projects' containers, `parents` the ids that images are built on,
    `origins` where the images with tags of ours come from.
    """

    client: engine.Client
    scope: Scope
    selection: Selection
    foreign: Collection[Mapping[str, Any]]
    parents: frozenset[str | None]
    origins: frozenset[Origin]

    def to_keep(self, image: Mapping[str, Any], tags: tuple[str, ...]) -> Iterator[str]:
        """Yield why an image with these tags stays."""
        users = [container for container in self.foreign if container["ImageID"] == image["Id"]]
        if users:
            yield used_by(users)
        if image["Id"] in self.parents:  # committed, or built without BuildKit
            yield "another image is built on it"
        if not tags and _origin(self.client, image) not in self.origins:
            yield "may be built on ours by another project"
        if not self.selection.everything and not all(map(self.scope.rebuilds, tags)):
            yield "promoted: rollback needs it"


def _resource(image: Mapping[str, Any], reasons: _Reasons) -> Resource:
    tags = _own_tags(image, reasons.scope)
    name = ", ".join(tags) or f"untagged {image['Labels'].get(TITLE, '')}"
    kept = next(reasons.to_keep(image, tags), "")
    shown = f"{name} {short(image['Id'])}"
    return Resource("image", image["Id"], shown, image["Size"], kept, tags)


def _own_tags(image: Mapping[str, Any], scope: Scope) -> tuple[str, ...]:
    return tuple(sorted(filter(scope.owns, image["RepoTags"] or [])))


def _is_anothers(image: Mapping[str, Any], scope: Scope) -> bool:
    """Return whether somebody else built an image on ours, or tagged it."""
    tags = [tag for tag in image["RepoTags"] or [] if "<none>" not in tag]
    return bool(tags) and not _own_tags(image, scope)


def _origin(client: engine.Client, image: Mapping[str, Any]) -> Origin:
    """Return where an image comes from.

    Whoever builds on an image inherits its labels and adds steps of their own, so that an
    untagged image with the same last steps as a tagged one is an older build of it.
    """
    steps = [str(step["created_by"]) for step in reversed(history(client, image["Id"]))]
    named = next((at for at, step in enumerate(steps) if TITLE in step), len(steps))
    return image["Labels"].get(TITLE), tuple(steps[:named])
