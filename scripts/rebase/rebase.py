"""Put the services on the bases that are here now: their own layers stay, byte for byte."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.catalog.catalog import Catalog
from scripts.common.errors import SutraError
from scripts.common.labels import BASE_NAME
from scripts.common.reference import tagged
from scripts.engine import client as engine
from scripts.engine import images, tags
from scripts.image import inventory
from scripts.image.inventory import Inventory
from scripts.rebase import abi, archive, parts
from scripts.rebase.parts import Image

BUILD = "`make prod` builds it on the base that is here"


@dataclass(frozen=True)
class MovedService:
    """One service to move, all by the engine's ids; `base` is the base's name."""

    name: str
    identity: str
    base: str
    old: str
    new: str


@dataclass(frozen=True)
class Outcome:
    """What came of it: ids by name, and a line for each break, which none of the ids has."""

    ids: Mapping[str, str]
    breaks: tuple[str, ...]


def services_to_move(
    client: engine.Client, promises: Catalog, earlier: Mapping[str, str | None]
) -> list[MovedService]:
    """Return the services whose base is another one now.

    `earlier` are the ids of the bases before they were built again: they may have no tag any
    more. Raises SutraError for a service that is not there or whose base is not known.
    """
    services = []
    for image in promises.images:
        inspected = images.inspect(client, image.reference)
        if inspected is None:
            raise SutraError(f'rebase: no such image "{image.reference}"', "run `make prod`")
        labels = (inspected.get("Config") or {}).get("Labels") or {}
        named = tagged(str(labels.get(BASE_NAME, "")))
        base = named.name if named else ""
        if base not in earlier:
            continue  # a base itself, or on nothing
        new = tags.current(client, promises.find(base).reference)
        old = _old_base(client, inspected, base, earlier[base])
        if old is None or new is None:
            raise SutraError(f"rebase: {image.name}: its {base} is not here any more", BUILD)
        if old != new:
            services.append(MovedService(image.name, str(inspected["Id"]), base, old, new))
    return services


def _old_base(
    client: engine.Client, service: Mapping[str, Any], base: str, earlier: str | None
) -> str | None:
    """Return the id of the base whose layers are the first of the service's, the longest such.

    Another user or variable adds no layer: of bases with the same layers it is the one whose
    steps are the service's first.
    """
    layers, steps = service["RootFS"]["Layers"], _steps(client, service["Id"])
    names = sorted(f"{base}:{tag}" for tag in images.repository_tags(client, base))
    fitting = {}
    for reference in [*names, *filter(None, [earlier])]:
        inspected = images.inspect(client, reference) or {}
        own = (inspected.get("RootFS") or {}).get("Layers") or []
        if own and layers[: len(own)] == own:
            own_steps = _steps(client, inspected["Id"])
            is_its_beginning = steps[: len(own_steps)] == own_steps
            fitting[len(own), is_its_beginning] = str(inspected["Id"])
    return fitting[max(fitting)] if fitting else None


def _steps(client: engine.Client, identity: str) -> list[str]:
    return [str(step["created_by"]) for step in images.history(client, identity)]


@contextmanager
def rebased(client: engine.Client, services: list[MovedService]) -> Iterator[Outcome]:
    """Yield the ids of the services on their new bases, loaded under tags that go afterwards."""
    staged = {service.name: f"{service.name}:rebasing-{os.getpid()}" for service in services}
    try:
        breaks: list[str] = []
        with tempfile.TemporaryDirectory(prefix="sutra-rebase-") as folder:
            for service in services:
                file = Path(folder) / "rebased.tar"
                breaks += _compose(client, service, Path(folder), file, staged[service.name])
                if not breaks:
                    with file.open("rb") as opened:
                        images.load(client, opened)
                file.unlink(missing_ok=True)
        yield Outcome({} if breaks else _ids(client, staged), tuple(breaks))
    finally:
        for tag in staged.values():
            images.untag(client, tag)


def _ids(client: engine.Client, staged: Mapping[str, str]) -> dict[str, str]:
    """Return the ids of what was loaded, by name. Raises SutraError for an image that is gone."""
    ids = {}
    for name, tag in staged.items():
        identity = tags.current(client, tag)
        if identity is None:
            raise SutraError(f'rebase: image no longer exists "{tag}"', "run `make rebase` again")
        ids[name] = identity
    return ids


def _compose(
    client: engine.Client, moved_service: MovedService, folder: Path, file: Path, tag: str
) -> list[str]:
    """Write the service on its new base to `file`; return what breaks, a line each."""
    saved = folder / "saved.tar"
    saved_images = archive.save(
        client,
        {"service": moved_service.identity, "old": moved_service.old, "new": moved_service.new},
        saved,
    )
    service, old, new = (
        _named(saved_images[key], moved_service) for key in ("service", "old", "new")
    )
    problems = list(abi.breaks(old, new, service))
    if not problems:
        config, own = parts.moved(service, old, new, _digest(client, moved_service.new))
        layers = [(saved, member) for member in (*new.layers, *own)]
        archive.write(file, tag, config, layers)
        before, after = _inventory(client, moved_service.old), _inventory(client, moved_service.new)
        problems = list(abi.breaks_inside(before, after, _inventory(client, str(file))))
    saved.unlink()
    return [f"{moved_service.name}: not on this {moved_service.base}: {line}" for line in problems]


def _named(image: Image, moved_service: MovedService) -> Image:
    name = {"service": moved_service.name}.get(image.name, f"{image.name} {moved_service.base}")
    return Image(name, image.config, image.layers)


def _digest(client: engine.Client, identity: str) -> str:
    """Return the digest by which a registry knows a base, the engine's own id without one."""
    return min(images.digests_anywhere(client, identity), default=identity)


def _inventory(client: engine.Client, reference: str) -> Inventory:
    content = inventory.read(client, reference)
    if content is None:
        raise SutraError(f'rebase: image no longer exists "{reference}"', "run `make rebase` again")
    return content


def say(line: str) -> None:
    """Print one line of progress."""
    print(f"rebase: {line}", file=sys.stderr, flush=True)
