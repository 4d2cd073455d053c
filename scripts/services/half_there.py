"""Services that were added by hand with a piece left out: all that is missing, at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sutra_cleanup.yaml_node import did_you_mean

from scripts.catalog import catalog
from scripts.common.errors import refuse
from scripts.services import service_parts, shared_files
from scripts.services.shared_files import BAKE, IMAGES

DOCKERFILE = service_parts.DOCKERFILES[0]
# parts without which there is no image, or nothing that it is held to
NEEDED = (f"/{DOCKERFILE}", f"{BAKE}: ", f"{IMAGES}: ")


def refuse_half_there() -> list[str]:
    """Raise SutraError where a service lacks what an image needs, with all that it lacks.

    Return a line for each piece that others lack: where they are not deployed, or not documented.
    """
    if not all(Path(file.name).is_file() for file in shared_files.FILES):
        return []  # a part of a checkout, which builds images and deploys none
    missing = {name: service_parts.find(name).missing for name in _names()}
    broken = [name for name, parts in missing.items() if any(map(_is_needed, parts))]
    refuse(
        [line for name in broken for line in _lines(name, missing[name])],
        "add what is missing; `make remove-service NAME=…` takes away one that is not wanted",
    )
    return [line for name, parts in missing.items() for line in _lines(name, parts)]


def _names() -> list[str]:
    """Return the services of the list, and what else is there of one; none without a list.

    A name of the catalogue that is nearly one that it lacks is a slip, which the build names.
    """
    listed = {line.name: line.folder for line in service_parts.listed()}
    files = sorted(service_parts.PACKAGES.glob(f"*/{DOCKERFILE}"))
    unlisted = [file.parent.name for file in files if file.parent.name not in listed.values()]
    graph = shared_files.read(BAKE)
    images = {image.key for image in catalog.load().images}
    unbuilt = sorted(name for name in images if f'"{name}"' not in graph)
    if not listed or any(did_you_mean(name, listed.keys() - images) for name in unbuilt):
        return []
    return list(dict.fromkeys([*listed, *unlisted, *unbuilt]))


def _is_needed(part: str) -> bool:
    return part.endswith(NEEDED[0]) or part.startswith(NEEDED[1:])


def _lines(name: str, parts: tuple[str, ...]) -> Iterator[str]:
    for part in parts:
        yield f'services: missing of "{name}": {part}'
