"""Remove what another program left on the engine, found by a tag that was made for it alone.

The engine's events list it, and also the containers that the program removed without their volumes.
A container's anonymous volumes are created just before it, and no event says whose they are: they
are removed where nobody else can have created one of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from docker.errors import APIError, NotFound

from scripts.engine import client as engine
from scripts.engine import containers, images

# label of a volume that was created without a name (engine 23 and newer)
ANONYMOUS = "com.docker.volume.anonymous"
# status of an engine's refusal to remove a volume that a container has
IN_USE = 409


@dataclass(frozen=True)
class Tagged:
    """A tag for one program alone, since when, and how many volumes its image declares."""

    name: str
    begun: str
    declared: int


@dataclass
class Record:
    """The ids of what was made of a tag; `unsure` is the number of volumes of unknown owner."""

    containers: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    unsure: int = 0

    def add(self, container: str, volumes: Sequence[str] | None, declared: int) -> None:
        """Add a container, and the volumes created before it where they can only be its own."""
        self.containers.append(container)
        if volumes is not None and len(volumes) == declared:
            self.volumes += volumes
        else:
            self.unsure += declared


def tag(client: engine.Client, image: str, name: str) -> Tagged:
    """Give an image a tag that nobody else uses. Raises SutraError."""
    with engine.request(f'tag "{name}"'):
        begun, about = now(client), images.inspect(client, image)
        if about is None:
            raise images.NoSuchImageError(f'image no longer exists "{image}"', "run `make build`")
        images.tag(client, about["Id"], name)
        return Tagged(name, begun, len(about["Config"].get("Volumes") or ()))


def remove_all(client: engine.Client, tagged: Tagged) -> int:
    """Remove the tag, its containers with their volumes, and images committed from them.

    Containers of such an image go too, and the volumes of those that the program has removed.
    Returns the number of volumes that may be left, as they may be somebody else's. Whatever
    was made of the same image under another name stays. The program has ended. Raises SutraError.
    """
    with engine.request(f'remove what was made of "{tagged.name}"'):
        record = read(_events(client, tagged.begun), tagged)
        for container in record.containers:
            containers.remove_container(client, container)
        for reference in (*record.images, tagged.name):
            with suppress(NotFound):  # its program may have done so
                client.api.remove_image(reference, noprune=True)
        for volume in record.volumes:
            remove_volume(client, volume)
    return record.unsure


def read(events: Iterable[Mapping[str, Any]], tagged: Tagged) -> Record:
    """Return what was made of a tag, from the engine's events since it was given.

    Volumes created since then, or since the last container of the tag, are those of the next one if
    they are as many as it needs. If not, somebody else has created one meanwhile. An engine
    tells its last 256 events: without that of the tag it may have forgotten some of ours.
    """
    record = Record()
    pending: list[str] | None = None
    for event in events:
        identity, attributes = event["Actor"]["ID"], event["Actor"]["Attributes"]
        match event["Type"], event["Action"]:
            case "image", "tag" if attributes["name"] == tagged.name:
                pending = []
            case "volume", "create" if pending is not None:
                pending.append(identity)
            case "container", "commit" if identity in record.containers:
                record.images.append(attributes["imageID"])
            case "container", "create" if attributes["image"] in (tagged.name, *record.images):
                record.add(identity, pending, tagged.declared)
                pending = []
    if (
        pending is None
    ):  # the engine no longer lists the event of the tag, nor one of its containers
        record.unsure = tagged.declared
    return record


def _events(client: engine.Client, begun: str) -> Iterator[dict[str, Any]]:
    kinds = {"type": ["container", "image", "volume"], "event": ["create", "commit", "tag"]}
    # without `until` the engine goes on telling
    query = {"since": begun, "until": now(client), "filters": json.dumps(kinds)}
    yield from map(json.loads, engine.answer(client, "/events", query).text.splitlines())


def now(client: engine.Client) -> str:
    """Return the time by the engine's own clock."""
    return moment(client.info()["SystemTime"])


def moment(text: str) -> str:
    """Return a time of the engine ("2026-05-06T07:08:09.123456789Z") as it takes one: seconds."""
    return f"{datetime.fromisoformat(text).timestamp():.6f}"


def remove_volume(client: engine.Client, name: str) -> None:
    """Remove a volume if it is anonymous and no container has it."""
    with engine.request(f'remove the volume "{name}"'), suppress(NotFound):
        if ANONYMOUS not in (client.api.inspect_volume(name)["Labels"] or ()):
            return
        try:
            client.api.remove_volume(name)
        except APIError as error:
            if error.status_code != IN_USE:
                raise
