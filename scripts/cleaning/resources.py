"""What of one project is on the engine, with sizes, and what of it must stay.

A project is a name: the value of the label LABEL on everything that it made. A name alone
("my-sutra-api", "sutra-foo") says nothing, and neither does a label alone: an image that
somebody built on one of ours inherits it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scripts.build import bake as build
from scripts.common.reference import short, tagged
from scripts.engine import buildx
from scripts.engine import client as engine

LABEL = "org.sutra.project"
COMPOSE_LABEL = "com.docker.compose.project"
TITLE = "org.opencontainers.image.title"
# groups of the bake file that together tag every image
GROUPS = ("prod", "dev")
STAGED = re.compile(r":building-\d+$")
# the project's name, as Dockerfiles write it
VARIABLE = "${SUTRA_PROJECT}"
CACHE_ID = re.compile(r"--mount=\S*type=cache\S*")
MOUNTED_WITH = re.compile(r'with id "/*(.+)"$', re.DOTALL)


@dataclass(frozen=True)
class Scope:
    """One project: its name, the tags that its bake file sets, its cache mounts' ids."""

    project: str
    tags: frozenset[str]
    caches: frozenset[str] = frozenset()

    def owns(self, reference: str) -> bool:
        """Return whether "sutra-api:1.4.2" is a tag of one of this project's images."""
        named = tagged(reference)
        ours = {own.name for own in map(tagged, self.tags) if own}
        return named is not None and named.name in ours

    def rebuilds(self, reference: str) -> bool:
        """Return whether a build sets this tag again: ":prod" and ":dev", never ":1.4.2"."""
        return reference in self.tags or bool(STAGED.search(reference))


@dataclass(frozen=True)
class Thing:
    """One thing on the engine. `kept` says why it stays; empty: it goes.

    `kind` is container, network, image, cache or volume. `size` is in bytes as the engine counts
    them: an image with the layers that it shares. `tags` are those of an image that are ours.
    """

    kind: str
    id: str
    name: str
    size: int
    kept: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wish:
    """How much is asked for: data volumes as well, and what rollback needs as well."""

    data: bool = False
    everything: bool = False


def scope(project: str, groups: Iterable[str] = GROUPS) -> Scope:
    """Read the bake file and its Dockerfiles, and return what the project calls its own."""
    plan = buildx.bake_plan(list(groups), {})
    tags = {tag for each in build.requested_tags(plan).values() for tag in each}
    return Scope(project, frozenset(tags), cache_ids(project, plan["target"].values()))


def cache_ids(project: str, targets: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return the ids of cache mounts in the targets' Dockerfiles that name the project.

    A mount without an id has its path for one, and that is everybody's.
    """
    found: set[str] = set()
    for target in targets:
        file = Path(target["context"]) / target["dockerfile"]
        for mount in CACHE_ID.findall(file.read_text(encoding="utf-8")):
            found.update(re.findall(r"[=,]id=([^,\s]+)", mount))
    return frozenset(each.replace(VARIABLE, project) for each in found if VARIABLE in each)


def found(client: engine.Client, scope: Scope, wish: Wish) -> list[Thing]:
    """Return everything of the project that is on the engine, in the order of removal."""
    with engine.asked("list what it holds"):
        usage = client.df()
        networks = client.api.networks(filters={"label": _ours(scope)})
        containers = client.api.containers(all=True, size=True)
        images = client.api.images(all=True)
        volumes = client.api.volumes(filters={"label": _ours(scope)})["Volumes"] or []
    mine = [each for each in containers if _labelled(each["Labels"], scope)]
    foreign = [each for each in containers if each not in mine]
    return [
        *_containers(mine),
        *_networks(networks, foreign),
        *_images(client, images, scope, foreign, wish),
        *_caches(usage["BuildCache"] or [], scope),
        *_volumes(volumes, usage["Volumes"] or [], foreign, wish),
    ]


def _ours(scope: Scope) -> list[str]:
    return [f"{LABEL}={scope.project}", f"{COMPOSE_LABEL}={scope.project}"]


def _labelled(labels: Mapping[str, str] | None, scope: Scope) -> bool:
    return {(labels or {}).get(key) for key in (LABEL, COMPOSE_LABEL)} == {scope.project}


def _name(container: Mapping[str, Any]) -> str:
    return str((container["Names"] or [container["Id"][:12]])[0]).lstrip("/")


def _used_by(users: Collection[Mapping[str, Any]]) -> str:
    names = ", ".join(sorted(map(_name, users)))
    return f"in use by another project's container {names}" if users else ""


def _containers(mine: Iterable[Mapping[str, Any]]) -> list[Thing]:
    return [Thing("container", one["Id"], _name(one), one.get("SizeRw") or 0) for one in mine]


def _networks(
    networks: Iterable[Mapping[str, Any]], foreign: Collection[Mapping[str, Any]]
) -> list[Thing]:
    return [
        Thing(
            "network",
            one["Id"],
            one["Name"],
            0,
            _used_by([each for each in foreign if _attached(each, one)]),
        )
        for one in networks
    ]


def _attached(container: Mapping[str, Any], network: Mapping[str, Any]) -> bool:
    """Return whether a container joins a network, now or, by its name, when it is started."""
    joined = container["NetworkSettings"]["Networks"]
    return network["Name"] in joined or network["Id"] in {
        each["NetworkID"] for each in joined.values()
    }


def _images(
    client: engine.Client,
    images: Iterable[Mapping[str, Any]],
    scope: Scope,
    foreign: Collection[Mapping[str, Any]],
    wish: Wish,
) -> list[Thing]:
    images = list(images)
    ours = [each for each in images if (each["Labels"] or {}).get(LABEL) == scope.project]
    parents = {each.get("ParentId") for each in images}
    tails = {
        (tagged["Labels"].get(TITLE), _tail(client, tagged))
        for tagged in ours
        if any(map(scope.owns, tagged["RepoTags"] or []))
    }
    made = []
    for one in ours:
        tags = tuple(sorted(filter(scope.owns, one["RepoTags"] or [])))
        others = [tag for tag in one["RepoTags"] or [] if tag not in tags and "<none>" not in tag]
        name = ", ".join(tags) or f"untagged {one['Labels'].get(TITLE, '')}"
        if not tags and others:
            continue  # built on ours by somebody else, or tagged by them
        kept = _used_by([each for each in foreign if each["ImageID"] == one["Id"]])
        if one["Id"] in parents:  # committed, or built without BuildKit
            kept = kept or "another image is built on it"
        if not tags and (one["Labels"].get(TITLE), _tail(client, one)) not in tails:
            kept = kept or "may be built on ours by another project"
        if not wish.everything and not all(map(scope.rebuilds, tags)):
            kept = kept or "promoted: rollback needs it"
        made.append(
            Thing("image", one["Id"], f"{name} {short(one['Id'])}", one["Size"], kept, tags)
        )
    return sorted(made, key=lambda each: (not each.tags, each.name))


def _tail(client: engine.Client, image: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the steps of an image's history after the one that named it.

    Whoever builds on an image inherits its labels and adds steps of their own, so that an
    untagged image with the same last steps as a tagged one is an older build of it.
    """
    with engine.asked("read an image's history"):
        history = client.api.history(image["Id"])  # type: ignore[no-untyped-call]
    steps = [str(step["CreatedBy"]) for step in history]
    named = next((at for at, step in enumerate(steps) if TITLE in step), len(steps))
    return tuple(steps[:named])


def _caches(records: Iterable[Mapping[str, Any]], scope: Scope) -> list[Thing]:
    made = []
    for one in records:
        mounted = MOUNTED_WITH.search(one.get("Description") or "")
        if one["Type"] == "exec.cachemount" and mounted and mounted[1] in scope.caches:
            kept = "in use by a build" if one["InUse"] else ""
            made.append(Thing("cache", one["ID"], f"mount {mounted[1]}", one["Size"], kept))
    return made


def _volumes(
    volumes: Iterable[Mapping[str, Any]],
    usage: Iterable[Mapping[str, Any]],
    foreign: Collection[Mapping[str, Any]],
    wish: Wish,
) -> list[Thing]:
    sizes = {each["Name"]: (each.get("UsageData") or {}).get("Size", 0) for each in usage}
    made = []
    for one in volumes:
        users = [each for each in foreign if one["Name"] in {m.get("Name") for m in each["Mounts"]}]
        kept = _used_by(users) or ("" if wish.data else "data: --data removes it")
        size = max(sizes.get(one["Name"], 0), 0)  # -1: unknown
        made.append(Thing("volume", one["Name"], one["Name"], size, kept))
    return made


def only(things: Iterable[Thing], shown: Iterable[Thing]) -> list[Thing]:
    """Return what of `things` may go and was shown before, with no tag that was not."""
    before = {(each.kind, each.id): each for each in shown}
    found = []
    for each in things:
        known = before.get((each.kind, each.id))
        tags = tuple(tag for tag in each.tags if known and tag in known.tags)
        if known and not each.kept and (tags or not each.tags):
            found.append(replace(each, tags=tags))
    return found
