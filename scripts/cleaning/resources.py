"""List a project's containers, networks, images, caches and volumes, and mark those to keep."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from scripts.cleaning.project_images import images
from scripts.cleaning.resource import Resource, Selection, name, used_by
from scripts.cleaning.scope import Scope
from scripts.engine import client as engine
from scripts.engine import disk_usage

MOUNTED_WITH = re.compile(r'with id "/*(.+)"$', re.DOTALL)


def found(client: engine.Client, scope: Scope, selection: Selection) -> list[Resource]:
    """Return everything of the project that is on the engine, in the order of removal."""
    usage = disk_usage.caches_and_volumes(client)
    with engine.asked("list what it holds"):
        networks = client.api.networks(filters={"label": scope.labels()})
        containers = client.api.containers(all=True)
        listed = client.api.images(all=True)
        volumes = client.api.volumes(filters={"label": scope.labels()})["Volumes"] or []
    mine = [each for each in containers if scope.has_both_labels(each["Labels"])]
    foreign = [each for each in containers if each not in mine]
    return [
        *_containers(client, mine),
        *_networks(networks, foreign),
        *images(client, listed, scope, foreign, selection),
        *_caches(usage["BuildCache"], scope),
        *_volumes(volumes, usage["Volumes"], foreign, selection),
    ]


def _containers(client: engine.Client, mine: Iterable[Mapping[str, Any]]) -> list[Resource]:
    return [
        Resource("container", each["Id"], name(each), disk_usage.written_by(client, each["Id"]))
        for each in mine
    ]


def _networks(
    networks: Iterable[Mapping[str, Any]], foreign: Collection[Mapping[str, Any]]
) -> list[Resource]:
    return [
        Resource(
            "network",
            one["Id"],
            one["Name"],
            0,
            used_by([each for each in foreign if _attached(each, one)]),
        )
        for one in networks
    ]


def _attached(container: Mapping[str, Any], network: Mapping[str, Any]) -> bool:
    """Return whether a container joins a network, now or, by its name, when it is started."""
    joined = container["NetworkSettings"]["Networks"]
    return network["Name"] in joined or network["Id"] in {
        each["NetworkID"] for each in joined.values()
    }


def _caches(records: Iterable[Mapping[str, Any]], scope: Scope) -> list[Resource]:
    made = []
    for one in records:
        mounted = MOUNTED_WITH.search(one.get("Description") or "")
        if one["Type"] == "exec.cachemount" and mounted and mounted[1] in scope.caches:
            kept = "in use by a build" if one["InUse"] else ""
            made.append(Resource("cache", one["ID"], f"mount {mounted[1]}", one["Size"], kept))
    return made


def _volumes(
    volumes: Iterable[Mapping[str, Any]],
    usage: Iterable[Mapping[str, Any]],
    foreign: Collection[Mapping[str, Any]],
    selection: Selection,
) -> list[Resource]:
    sizes = {each["Name"]: (each.get("UsageData") or {}).get("Size", 0) for each in usage}
    made = []
    for one in volumes:
        users = [each for each in foreign if one["Name"] in {m.get("Name") for m in each["Mounts"]}]
        kept = used_by(users) or ("" if selection.data else "data: --data removes it")
        size = max(sizes.get(one["Name"], 0), 0)  # -1: unknown
        made.append(Resource("volume", one["Name"], one["Name"], size, kept))
    return made


def only(things: Iterable[Resource], shown: Iterable[Resource]) -> list[Resource]:
    """Return what of `things` may go and was shown before, with no tag that was not."""
    before = {(each.kind, each.id): each for each in shown}
    chosen = []
    for each in things:
        known = before.get((each.kind, each.id))
        tags = tuple(tag for tag in each.tags if known and tag in known.tags)
        if known and not each.kept and (tags or not each.tags):
            chosen.append(replace(each, tags=tags))
    return chosen
