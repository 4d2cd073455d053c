"""What lies on the engine's disk, asked so that one container that goes spoils no answer.

The engine refuses a whole list of containers with their sizes, and with it `docker system
df`, when it cannot measure one of them: one that anybody is just making or removing. So
the sizes of all containers are never asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import requests
from docker.errors import NotFound, create_api_error_from_http_exception

from scripts.engine import client as engine


def caches_and_volumes(client: engine.Client) -> dict[str, list[dict[str, Any]]]:
    """Return the engine's records under "BuildCache" and "Volumes", sizes in bytes.

    The SDK can ask only for everything, containers included.
    """
    with engine.request("tell how its disk is used"):
        answer = _get(client, "/system/df", {"type": ["build-cache", "volume"]})
        return {kind: list(answer[kind] or []) for kind in ("BuildCache", "Volumes")}


def written_by(client: engine.Client, container: str) -> int:
    """Return the bytes that a container has written, 0 for one that is gone by now."""
    with engine.request("measure a container"):
        try:
            answer = _get(client, f"/containers/{container}/json", {"size": "1"})
        except NotFound:  # also the engine's answer for one that is just being removed
            return 0
        return int(answer.get("SizeRw") or 0)


def _get(
    client: engine.Client, path: str, query: Mapping[str, str | Sequence[str]]
) -> dict[str, Any]:
    """Return an answer that the SDK has no method for. Raises the SDK's errors."""
    api = client.api
    answer = api.get(f"{api.base_url}/v{api.api_version}{path}", params=query, timeout=api.timeout)
    try:
        answer.raise_for_status()
    except requests.HTTPError as error:
        raise create_api_error_from_http_exception(error) from error
    return dict(answer.json())
