"""Services that were added by hand with a piece left out: all that is missing, at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
    if not Path(BAKE).is_file():
        return []
    missing = {name: service_parts.find(name).missing for name in _names()}
    broken = [name for name, parts in missing.items() if any(map(_is_needed, parts))]
    refuse(
        [line for name in broken for line in _lines(name, missing[name])],
        f"add what is missing, or `make remove-service NAME={' '.join(broken[:1])}` takes the rest "
        "away",
    )
    return [line for name, parts in missing.items() for line in _lines(name, parts)]


def _names() -> list[str]:
    """Return the services of the list, and what else is there of one; none without a list."""
    lines = service_parts.listed()
    if not lines:
        return []
    folders = {line.folder for line in lines}
    files = sorted(service_parts.PACKAGES.glob(f"*/{DOCKERFILE}"))
    unlisted = [file.parent.name for file in files if file.parent.name not in folders]
    graph = shared_files.read(BAKE)
    unbuilt = [image.key for image in catalog.load().images if f'"{image.key}"' not in graph]
    return list(dict.fromkeys([*(line.name for line in lines), *unlisted, *unbuilt]))


def _is_needed(part: str) -> bool:
    return part.endswith(NEEDED[0]) or part.startswith(NEEDED[1:])


def _lines(name: str, parts: tuple[str, ...]) -> Iterator[str]:
    for part in parts:
        yield f'services: missing of "{name}": {part}'
