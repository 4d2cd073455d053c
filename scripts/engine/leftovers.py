"""What a program that is not ours left on the engine of a tag that was made for it alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from docker.errors import NotFound

from scripts.engine import client as engine
from scripts.engine import containers


def remove_all(client: engine.Client, tag: str) -> None:
    """Remove the tag and the containers that were made of it, with their volumes.

    Images that were committed from such a container go too, with the containers that were
    made of them. Whatever was made of the same image under another name stays. The program
    has ended. Raises SutraError.
    """
    with engine.request(f'remove what was made of "{tag}"'):
        for container in list(_made_of(client, tag)):
            for image in _committed(client, container):
                for second in list(_made_of(client, image)):
                    containers.remove_container(client, second)
                _remove_image(client, image)
            containers.remove_container(client, container)
        _remove_image(client, tag)


def _made_of(client: engine.Client, reference: str) -> Iterator[str]:
    """Yield the ids of containers that were created by this very tag or id."""
    # the engine's filter takes every name of the image
    for row in client.api.containers(all=True, filters={"ancestor": reference}):
        with suppress(NotFound):  # somebody else's, and removed just now
            about = client.api.inspect_container(row["Id"])
            if about["Config"]["Image"] == reference:
                yield str(about["Id"])


def _committed(client: engine.Client, container: str) -> list[str]:
    """Return the ids of images that were committed from a container, by the engine's own record.

    No image names its container with either store.
    """
    begun = client.api.inspect_container(container)["Created"]
    query = {
        "since": moment(begun),
        "until": moment(client.info()["SystemTime"]),  # without it the engine goes on telling
        "filters": json.dumps({"container": [container], "event": ["commit"]}),
    }
    events = map(json.loads, engine.answer(client, "/events", query).text.splitlines())
    return [event["Actor"]["Attributes"]["imageID"] for event in events]


def moment(text: str) -> str:
    """Return a time of the engine ("2026-05-06T07:08:09.123456789Z") as it takes one: seconds."""
    return f"{datetime.fromisoformat(text).timestamp():.6f}"


def _remove_image(client: engine.Client, reference: str) -> None:
    with suppress(NotFound):  # its program may have done so
        client.api.remove_image(reference, noprune=True)
