"""What lies on the engine's disk, asked so that one container that goes spoils no answer.

The engine refuses a whole list of containers with their sizes, and with it `docker system
df`, when it cannot measure one of them: one that anybody is just making or removing. So
the sizes of all containers are never asked for.
"""

from __future__ import annotations

from typing import Any

from docker.errors import NotFound

from scripts.engine import client as engine


def caches_and_volumes(client: engine.Client) -> dict[str, list[dict[str, Any]]]:
    """Return the engine's records under "BuildCache" and "Volumes", sizes in bytes.

    The SDK can ask only for everything, containers included.
    """
    with engine.request("tell how its disk is used"):
        types = {"type": ["build-cache", "volume"]}
        usage = dict(engine.answer(client, "/system/df", types).json())
        return {kind: list(usage[kind] or []) for kind in ("BuildCache", "Volumes")}


def written_by(client: engine.Client, container: str) -> int:
    """Return the bytes that a container has written, 0 for one that is gone by now."""
    with engine.request("measure a container"):
        try:
            answer = engine.answer(client, f"/containers/{container}/json", {"size": "1"})
        except NotFound:  # also the engine's answer for one that is just being removed
            return 0
        return int(dict(answer.json()).get("SizeRw") or 0)
