"""Every image of a stack by its digest, so that each node runs the one that was verified."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.common.errors import SutraError
from scripts.engine import client as engine
from scripts.engine import images
from scripts.oci.registry_tags import Registry


def pinned(client: engine.Client, config: Mapping[str, Any], nodes: int) -> dict[str, str]:
    """Return the pinned form of each image of the compose file.

    A name without a registry is this engine's own, by its id: no node asks a public registry
    for it, and only a swarm of one node has it. Raises SutraError.
    """
    return {
        str(service["image"]): _pinned(client, name, str(service["image"]), nodes)
        for name, service in config["services"].items()
        if service.get("image")  # one without is an error of its own
    }


def _pinned(client: engine.Client, service: str, reference: str, nodes: int) -> str:
    address, _, image = reference.rpartition("/")
    if address:
        digest = Registry(client, address).digest(reference)
        if digest is None:
            raise SutraError(
                f'{service}: not in the registry "{reference}"',
                "`make promote REGISTRY=host/path` puts it there; SUTRA_TAG names a version",
            )
        return f"{reference}@{digest}"
    if nodes > 1:
        raise SutraError(
            f'{service}: image without a registry "{image}", and {nodes} nodes would need it',
            "`make promote REGISTRY=host/path`, then `./sutra-deploy.sh up TARGET=swarm` with "
            "the same REGISTRY",
        )
    inspected = images.inspect(client, reference)
    if not inspected:
        raise SutraError(
            f'{service}: image is not there "{reference}"',
            "run `make prod`, or set SUTRA_TAG to a version that is",
        )
    return str(inspected["Id"])
