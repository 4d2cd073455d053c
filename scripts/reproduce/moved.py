"""A promoted image built again; a moved service's own layers of one commit, its base of another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from scripts.common import git
from scripts.common.errors import SutraError
from scripts.common.labels import (
    BASE_DIGEST,
    BASE_NAME,
    BASE_REVISION,
    BUILD_ROOT,
    CREATED,
    REVISION,
    ROOT,
)
from scripts.common.reference import tagged
from scripts.engine import client as engine
from scripts.image import inventory
from scripts.image.inventory import Inventory
from scripts.reproduce.again import built_again


@contextmanager
def layers_again(
    client: engine.Client, name: str, commit: str, image: Inventory
) -> Iterator[Inventory]:
    """Yield `image` with the layers that a build of its commit gives, or builds of its two commits.

    Of a service that was moved only the layers are built again: nobody builds its config.
    """
    if BASE_DIGEST not in image.labels:
        with built_again(client, name, commit, image.labels) as reference:
            yield read(client, reference)
        return
    base, labels = _base(name, image.labels)
    own = {**image.labels, ROOT: image.labels.get(BUILD_ROOT) or image.labels.get(ROOT, "")}
    with (
        built_again(client, name, commit, own) as service,
        built_again(client, base, labels[REVISION], labels) as below,
    ):
        bottom = read(client, below).layers
        count = len(image.layers) - len(bottom)
        top = read(client, service).layers[-count:] if count > 0 else ()
        yield replace(image, layers=(*bottom, *top))


def _base(name: str, labels: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return the base's name, and the labels by which it was built. Raises SutraError."""
    base, commit = tagged(labels.get(BASE_NAME, "")), labels.get(BASE_REVISION, "")
    if base is None or commit in ("", "unknown") or commit.endswith("-dirty"):
        raise SutraError(
            f'reproduce: {name}: its base is of no clean commit "{commit}"',
            "`make prod` builds it on a base of the commit that is checked out",
        )
    return base.name, {REVISION: commit, CREATED: git.time(commit), ROOT: labels.get(ROOT, "")}


def read(client: engine.Client, reference: str) -> Inventory:
    """Return the image that a reference names. Raises SutraError for one that is gone."""
    image = inventory.read(client, reference)
    if image is None:
        raise SutraError(
            f'reproduce: image no longer exists "{reference}"', "run the same command again"
        )
    return image
