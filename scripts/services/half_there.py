"""Services that were added by hand with a piece left out or wrong: all of that, at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sutra_cleanup.yaml_node import did_you_mean

from scripts.catalog import catalog
from scripts.common.errors import refuse
from scripts.services import call, published_ports, service_parts, shared_files
from scripts.services.shared_files import BAKE, COMPOSE, IMAGES

DOCKERFILE = service_parts.DOCKERFILES[0]
# parts without which there is no image, or nothing that it is held to
NEEDED = (f"/{DOCKERFILE}", f"{BAKE}: ", f"{IMAGES}: ")


# languages that the bake file has a target for
LANGUAGE = re.compile(r'^target "_(\w+)-service"', re.MULTILINE)
# an image of ours that is deployed: a compose service's, and a container's of Kubernetes
DEPLOYED = re.compile(r"^    image: \S*\}([a-z][a-z0-9-]*):\$\{SUTRA_TAG", re.MULTILINE)
RUN = r"^ +image: {}:latest$"


def refuse_half_there() -> list[str]:
    """Raise SutraError where a service lacks what an image needs, with all that it lacks.

    Return a line for each piece that others lack: where they are not deployed, or not documented.
    """
    if not all(Path(file.name).is_file() for file in shared_files.FILES):
        return []  # a part of a checkout, which builds images and deploys none
    missing = {name: service_parts.find(name).missing for name in _names()}
    broken = [name for name, parts in missing.items() if any(map(_is_needed, parts))]
    refuse(
        [*_wrong_lines(), *(line for name in broken for line in _lines(name, missing[name]))],
        "add what is missing; `make remove-service NAME=…` takes away one that is not wanted",
    )
    return [*(line for name, parts in missing.items() for line in _lines(name, parts)), *_ports()]


def _wrong_lines() -> Iterator[str]:
    """Yield what is wrong with lines of the list: bake says it without naming the service."""
    listed = service_parts.listed()
    languages = sorted(LANGUAGE.findall(shared_files.read(BAKE)))
    for name, number in Counter(service.name for service in listed).items():
        if number > 1:
            yield f'{BAKE}: SERVICES: listed {number} times "{name}"'
        if not call.FORM.fullmatch(name):
            yield f'{BAKE}: SERVICES: not the name of an image "{name}"'
    for service in listed:
        if service.language not in languages:
            choices = ", ".join(languages)
            yield (
                f'{BAKE}: SERVICES: {service.name}: unknown language "{service.language}", '
                f"choose one of {choices}"
            )


def _ports() -> Iterator[str]:
    for port, service, owner in published_ports.shared(COMPOSE, shared_files.read(COMPOSE)):
        yield f'{COMPOSE}: services.{service}.ports: {port} is that of "{owner}"'


def _names() -> list[str]:
    """Return the services of the list, and what else is there of one; none without a list.

    A name of the catalogue that is nearly one that it lacks is a slip, which the build names.
    """
    listed = {line.name: line.folder for line in service_parts.listed()}
    unlisted = [name for name in _unlisted() if name not in listed.values()]
    graph = shared_files.read(BAKE)
    images = {image.key for image in catalog.load().images}
    unbuilt = sorted(name for name in images if f'"{name}"' not in graph)
    if not listed or any(did_you_mean(name, listed.keys() - images) for name in unbuilt):
        return []
    return list(dict.fromkeys([*listed, *unlisted, *unbuilt]))


def _unlisted() -> Iterator[str]:
    """Yield the names that folders of services have, and images that are deployed."""
    for name in service_parts.DOCKERFILES:
        for file in sorted(service_parts.PACKAGES.glob(f"*/{name}")):
            yield file.parent.name
    yield from DEPLOYED.findall(shared_files.read(COMPOSE))
    for form in shared_files.OWN_FILES:
        for file in sorted(Path(".").glob(form.format("*"))):
            if re.search(
                RUN.format(re.escape(file.stem)), shared_files.read(str(file)), re.MULTILINE
            ):
                yield file.stem


def _is_needed(part: str) -> bool:
    return part.endswith(NEEDED[0]) or part.startswith(NEEDED[1:])


def _lines(name: str, parts: tuple[str, ...]) -> Iterator[str]:
    for part in parts:
        yield f'services: missing of "{name}": {part}'
