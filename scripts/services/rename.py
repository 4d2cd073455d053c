"""The steps that give a service another name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from scripts.common.errors import refuse
from scripts.services import call, cargo_lock, sample, service_parts, shared_files
from scripts.services.remove import own_places
from scripts.services.service_parts import ServiceParts
from scripts.services.steps import Move, Remove, Step, Write
from scripts.services.words import ABOUT, Words, line_of, renamed, renamed_in_code


def steps(name: str, to: str) -> list[Step]:
    """Return the steps. Raises SutraError with all that is wrong with the call."""
    tip = "eg: make rename-service NAME=sutra-example TO=sutra-welcome"
    refuse([*call.existing_name("NAME", name), *call.new_name("TO", to)], tip)
    service, new = service_parts.find(name), Words(to)
    missing = [f'NAME: missing of "{name}": {part}' for part in service.missing]
    refuse(missing, "add what is missing, or `make remove-service` takes the rest away")
    places = own_places(service)
    refuse([line for place in places for line in _used(place, new)], "choose another name")
    lines = _sample_lines(service)
    inside = [step for place in places for step in _moved(place, service.words, new, lines)]
    return [*inside, *_shared(service, new)]


def _sample_lines(service: ServiceParts) -> frozenset[str]:
    """Return the lines that the service's sample has under its name, whatever its port is."""
    if service.language not in sample.languages():
        return frozenset()
    copied = sample.copied(sample.load(service.language), service.words, sample.PORT)
    return frozenset(_without_numbers(line) for _, text in copied for line in text.splitlines())


def _without_numbers(line: str) -> str:
    return re.sub(r"[0-9]+", "0", line)


def _is_clear(file: Path, folder: Path, old: Words) -> bool:
    """Return whether each word of a file that is the service's name means the service.

    One word may be a variable, a key of an answer or a table too. The files that say how the
    service is built are at the top of its folder.
    """
    return old.name != old.module or (file.parent == folder and file.suffix in ABOUT)


def _renamed_where_clear(
    file: Path, text: str, old: Words, new: Words, lines: frozenset[str]
) -> str:
    """Return the text with the sample's lines renamed, and others where they mean the service."""
    return "".join(
        renamed(line, old, new)
        if _without_numbers(line.rstrip("\r\n")) in lines
        else renamed_in_code(line, file.suffix, old, new)
        for line in text.splitlines(keepends=True)
    )


def _moved(place: Path, old: Words, new: Words, lines: frozenset[str]) -> Iterator[Step]:
    if place.is_dir():
        yield from _folder(place, old, new, lines)
        return
    target = Path(_named(place, old, new))
    yield Move(place, target)
    before = _text(place)
    yield Write(target, renamed(before, old, new), before)


def _used(place: Path, new: Words) -> Iterator[str]:
    """Yield where the new name is used already: the way back could not tell it apart."""
    for file in sample.files(place) if place.is_dir() else [place]:
        if line := line_of(_text(file), new):
            yield f'TO: taken "{new.name}": {file}:{line} has it as a word'


def _folder(folder: Path, old: Words, new: Words, lines: frozenset[str]) -> Iterator[Step]:
    """Yield the moves, outermost first, then the changes in the files by their new names."""
    target = folder.with_name(new.name) if folder.name == old.name else folder
    if target != folder:
        if target.exists():  # and holds what tools left alone, else the name is taken
            yield Remove(target, "what tools left")
        yield Move(folder, target)
    for place in sorted(_inner(folder)):
        new_place = target / _named(place.relative_to(folder), old, new)
        if new_place.name != place.name:
            yield Move(new_place.with_name(place.name), new_place)
    for file in sample.files(folder):
        before = _text(file)
        if _is_clear(file, folder, old):
            text = renamed(before, old, new)
        else:
            text = _renamed_where_clear(file, before, old, new, lines)
        if text != before:
            if file.name == cargo_lock.FILE:
                text = cargo_lock.ordered(text)
            yield Write(target / _named(file.relative_to(folder), old, new), text, before)


def _named(place: Path | str, old: Words, new: Words) -> str:
    """Return a path with the name replaced in each of its parts."""
    return renamed(str(place), old, new)


def _inner(folder: Path) -> set[Path]:
    """Return the files of a folder and the folders that they are in, without itself."""
    files = sample.files(folder)
    return {inner for file in files for inner in (file, *file.parents) if folder in inner.parents}


def _text(file: Path) -> str:
    """Return a file's text; empty for one that is not text, which has no word of a service."""
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            return opened.read()
    except (UnicodeDecodeError, FileNotFoundError):
        return ""


def _shared(service: ServiceParts, new: Words) -> Iterator[Step]:
    for file in shared_files.FILES:
        before = shared_files.read(file.name)
        text = renamed(before, service.words, new)
        if text != before:
            yield Write(Path(file.name), text, before)
