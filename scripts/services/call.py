"""Check the arguments of a call and report all problems at once: name, language, port."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from scripts.common.text import escaped
from scripts.services import reserved, sample, service_parts, shared_files
from scripts.services.words import Words, line_of

FORM = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST = 40
FIRST_PORT, PORTS = 8000, range(1024, 65536)
# folders and files that tools leave where a service was, and write again
CACHES = re.compile(
    r"__pycache__|\.(?:ruff|mypy|pytest)_cache|\.(?:cache|hypothesis|venv|tox|nox)|target"
    r"|node_modules|.+\.egg-info"
)
LEFT_FILES = re.compile(r".+\.pyc|\.coverage|\.DS_Store")


def new_name(knob: str, name: str) -> Iterator[str]:
    """Yield what is wrong with the name of a service that is not there yet."""
    if not name:
        yield f"{knob}: missing"
    elif not FORM.fullmatch(name) or len(name) > LONGEST:
        yield (
            f'{knob}: not the name of an image "{escaped(name)}": lower-case letters, digits '
            f"and single hyphens, a letter first, {LONGEST} characters at most"
        )
    elif reason := reserved.reason(Words(name)):
        yield f'{knob}: reserved "{name}": {reason}'
    else:
        yield from _taken(knob, name)


def _taken(knob: str, name: str) -> Iterator[str]:
    service = service_parts.find(name)
    if service.there and not service.missing:
        yield f'{knob}: taken "{name}": {service.there[0]}'
    elif service.there:
        yield f'{knob}: half there "{name}": {", ".join(service.there)}'
        yield from (f'{knob}: missing of "{name}": {part}' for part in service.missing)
    elif held := held_by(service.folder) or held_by(service_parts.TESTS / name):
        yield f'{knob}: taken "{name}": {held}'
    else:
        yield from _in_shared_files(knob, Words(name))


def held_by(folder: Path) -> str:
    """Return what is in the way of a folder of a service: "packages/x/ holds notes".

    "" where nothing is there but what tools left, as after a switch of branches.
    """
    if folder.is_symlink() or not folder.is_dir():
        return f"{folder} is no folder" if os.path.lexists(folder) else ""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not CACHES.fullmatch(name))
        links = [name for name in folders if Path(place, name).is_symlink()]
        if own := [name for name in [*names, *links] if not LEFT_FILES.fullmatch(name)]:
            return f"{folder}/ holds {escaped(str(Path(place, min(own)).relative_to(folder)))}"
    return ""


def _in_shared_files(knob: str, words: Words) -> Iterator[str]:
    """Yield where a name already is a word of a shared file: a rename could not tell it apart."""
    for file in shared_files.FILES:
        if line := line_of(shared_files.read(file.name), words):
            yield f'{knob}: taken "{words.name}": {file.name}:{line} has it as a word'


def existing_name(knob: str, name: str) -> Iterator[str]:
    """Yield what is wrong with the name of a service that should be there."""
    listed = sorted(service.name for service in service_parts.listed())
    names = ", ".join(listed)
    if not name:
        yield f"{knob}: missing, services: {names}"
    elif name not in listed and (part := reserved.owner(name)):
        yield f'{knob}: no service "{escaped(name)}": {part}'
    elif not FORM.fullmatch(name) or not service_parts.find(name).there:
        yield f'{knob}: no such service "{escaped(name)}", services: {names}'


def language(text: str) -> Iterator[str]:
    """Yield what is wrong with LANGUAGE."""
    choices = ", ".join(sample.languages())
    if not text:
        yield f"LANGUAGE: missing, choose one of {choices}"
    elif text not in sample.languages():
        yield f'LANGUAGE: unknown "{escaped(text)}", choose one of {choices}'


def port(text: str) -> Iterator[str]:
    """Yield what is wrong with PORT, which may be left out."""
    if not text:
        return
    if not re.fullmatch(r"[1-9][0-9]{0,4}", text) or int(text) >= PORTS.stop:
        yield f'PORT: not a port "{escaped(text)}": a number from {PORTS.start} to 65535'
    elif int(text) < PORTS.start:
        yield f'PORT: below {PORTS.start} "{text}": a service has no right to listen there'
    elif file := service_parts.ports().get(int(text)):
        yield f'PORT: taken "{text}": {file}'


def free_port() -> int:
    """Return the first port after those of the services that are published."""
    taken = service_parts.ports()
    return next(number for number in range(FIRST_PORT, PORTS.stop) if number not in taken)
