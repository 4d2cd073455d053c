"""List a project's containers, networks, images, caches and volumes, and mark those to keep."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from scripts.cleaning import project_images
from scripts.cleaning.resource import Resource, Selection, name, used_by
from scripts.cleaning.scope import Scope
from scripts.engine import client as engine
from scripts.engine import disk_usage, images

MOUNTED_WITH = re.compile(r'with id "/*(.+)"$', re.DOTALL)


def of_project(client: engine.Client, scope: Scope, selection: Selection) -> list[Resource]:
    """Return everything of the project that is on the engine, in the order of removal."""
    usage = disk_usage.caches_and_volumes(client)
    with engine.request("list what it holds"):
        networks = client.api.networks(filters={"label": scope.labels()})
        containers = client.api.containers(all=True)
        listed = images.every(client, all=True)
        volumes = client.api.volumes(filters={"label": scope.labels()})["Volumes"] or []
    mine = [container for container in containers if scope.has_both_labels(container["Labels"])]
    foreign = [container for container in containers if container not in mine]
    return [
        *_containers(client, mine),
        *_networks(networks, foreign),
        *project_images.images(client, listed, scope, foreign, selection),
        *_caches(usage["BuildCache"], scope),
        *_volumes(volumes, usage["Volumes"], foreign, selection),
    ]


def _containers(client: engine.Client, mine: Iterable[Mapping[str, Any]]) -> list[Resource]:
    return [
        Resource(
            "container",
            container["Id"],
            name(container),
            disk_usage.written_by(client, container["Id"]),
        )
        for container in mine
    ]


def _networks(
    networks: Iterable[Mapping[str, Any]], foreign: Collection[Mapping[str, Any]]
) -> list[Resource]:
    return [
        Resource(
            "network",
            network["Id"],
            network["Name"],
            0,
            used_by([container for container in foreign if _attached(container, network)]),
        )
        for network in networks
    ]


def _attached(container: Mapping[str, Any], network: Mapping[str, Any]) -> bool:
    """Return whether a container joins a network, now or, by its name, when it is started."""
    joined = container["NetworkSettings"]["Networks"]
    return network["Name"] in joined or network["Id"] in {
        endpoint["NetworkID"] for endpoint in joined.values()
    }


def _caches(records: Iterable[Mapping[str, Any]], scope: Scope) -> list[Resource]:
    caches = []
    for record in records:
        mounted = MOUNTED_WITH.search(record.get("Description") or "")
        if record["Type"] == "exec.cachemount" and mounted and mounted[1] in scope.caches:
            kept = "in use by a build" if record["InUse"] else ""
            caches.append(
                Resource("cache", record["ID"], f"mount {mounted[1]}", record["Size"], kept)
            )
    return caches


def _volumes(
    volumes: Iterable[Mapping[str, Any]],
    usage: Iterable[Mapping[str, Any]],
    foreign: Collection[Mapping[str, Any]],
    selection: Selection,
) -> list[Resource]:
    sizes = {volume["Name"]: (volume.get("UsageData") or {}).get("Size", 0) for volume in usage}
    resources = []
    for volume in volumes:
        users = [
            container
            for container in foreign
            if volume["Name"] in {m.get("Name") for m in container["Mounts"]}
        ]
        kept = used_by(users) or ("" if selection.data else "data: --data removes it")
        size = max(sizes.get(volume["Name"], 0), 0)  # -1: unknown
        resources.append(Resource("volume", volume["Name"], volume["Name"], size, kept))
    return resources


def only(resources: Iterable[Resource], shown: Iterable[Resource]) -> list[Resource]:
    """Return what of `resources` may go and was shown before, with no tag that was not."""
    before = {(resource.kind, resource.id): resource for resource in shown}
    chosen = []
    for resource in resources:
        shown_before = before.get((resource.kind, resource.id))
        tags = tuple(tag for tag in resource.tags if shown_before and tag in shown_before.tags)
        if shown_before and not resource.kept and (tags or not resource.tags):
            chosen.append(replace(resource, tags=tags))
    return chosen
