"""The services of this checkout, and what of each is there or missing."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.services import published_ports, shared_files
from scripts.services.shared_files import BAKE, COMPOSE, README, Listed, SharedFile
from scripts.services.words import Words

PACKAGES = Path("packages")
# tests against the built image, where a service has any
TESTS = Path("tests/images")
DOCKERFILES = ("Dockerfile.prod", "Dockerfile")
EXPOSED = re.compile(r"^EXPOSE +(.+)", re.MULTILINE)


@dataclass(frozen=True)
class ServiceParts:
    """A service as the checkout has it: its parts that are there, and those that are missing.

    `folder` is where its sources are; "" in `language` where no list says it.
    """

    words: Words
    language: str
    folder: Path
    there: tuple[str, ...]
    missing: tuple[str, ...]


def find(name: str) -> ServiceParts:
    """Return what the checkout has of a service, which may be nothing."""
    words = Words(name)
    line = next((entry for entry in listed() if entry.name == name), Listed(name, "", name))
    folder = PACKAGES / line.folder
    parts = {
        f"{folder}/{dockerfile}": (folder / dockerfile).is_file() for dockerfile in DOCKERFILES
    }
    # Kubernetes knows the storage by its folder's name, as the services do
    names = dict.fromkeys((name, line.folder))
    for form in shared_files.OWN_FILES:
        parts[form.format(name)] = any(
            Path(form.format(service_name)).is_file() for service_name in names
        )
    for file in shared_files.FILES:
        parts[f"{file.name}: {file.what}"] = any(
            _has(file, Words(service_name)) for service_name in names
        )
    there = tuple(part for part, is_there in parts.items() if is_there)
    missing = tuple(part for part, is_there in parts.items() if not is_there)
    service = ServiceParts(words, line.language, folder, there, missing)
    # a folder without a Dockerfile is a package of another kind, such as a library
    return service if folder.is_dir() or there else replace(service, missing=tuple(parts))


def _has(file: SharedFile, words: Words) -> bool:
    text = shared_files.read(file.name)
    if file.name == README:  # rows of figures are written by `make readme`
        return any(file.find(text, words))
    return bool(shared_files.spans(file, text, words))


def listed() -> list[Listed]:
    """Return the services of the bake file's list."""
    return shared_files.listed(shared_files.read(BAKE))


def ports() -> dict[int, str]:
    """Return the ports that services listen on or are published at, with the file that says so."""
    taken: dict[int, str] = {}
    for port in sorted(published_ports.of(COMPOSE, shared_files.read(COMPOSE))):
        taken[port] = COMPOSE
    for file in sorted(PACKAGES.glob(f"*/{DOCKERFILES[0]}")):
        for port in exposed(file.read_text("utf-8")):
            taken.setdefault(port, str(file))
    return taken


def exposed(text: str) -> list[int]:
    """Return the ports that a Dockerfile's text exposes: "EXPOSE 8000 9000/udp"."""
    words = " ".join(EXPOSED.findall(text)).split()
    return [int(match[1]) for word in words if (match := re.fullmatch(r"(\d+)(?:/\w+)?", word))]
