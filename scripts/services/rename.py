"""The steps that give a service another name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
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
    of_sample = _of_sample(service)
    inside = [step for place in places for step in _moved(place, service.words, new, of_sample)]
    return [*inside, *_shared(service, new)]


@dataclass(frozen=True)
class OfSample:
    """What the service's sample has under its name: lines, whatever its port is, and paths."""

    lines: frozenset[str] = frozenset()
    paths: frozenset[Path] = frozenset()


def _of_sample(service: ServiceParts) -> OfSample:
    if service.language not in sample.languages():
        return OfSample()
    copied = dict(sample.copied(sample.load(service.language), service.words, sample.PORT))
    return OfSample(
        frozenset(_without_numbers(line) for text in copied.values() for line in text.splitlines()),
        frozenset(path for place in copied for path in (place, *place.parents)),
    )


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


def _moved(place: Path, old: Words, new: Words, of_sample: OfSample) -> Iterator[Step]:
    if place.is_dir():
        yield from _folder(place, old, new, of_sample)
        return
    target = Path(renamed(str(place), old, new))
    yield Move(place, target)
    before = _text(place)
    yield Write(target, renamed(before, old, new), before)


def _used(place: Path, new: Words) -> Iterator[str]:
    """Yield where the new name is used already: the way back could not tell it apart."""
    for file in sample.files(place) if place.is_dir() else [place]:
        if line := line_of(_text(file), new):
            yield f'TO: taken "{new.name}": {file}:{line} has it as a word'


def _folder(folder: Path, old: Words, new: Words, of_sample: OfSample) -> Iterator[Step]:
    """Yield the moves, outermost first, then the changes in the files by their new names."""
    target = folder.with_name(new.name) if folder.name == old.name else folder
    if target != folder:
        if target.exists():  # and holds what tools left alone, else the name is taken
            yield Remove(target, "what tools left")
        yield Move(folder, target)
    for place in sorted(_inner(folder)):
        new_place = target / _named_inside(place.relative_to(folder), old, new, of_sample)
        if new_place.name != place.name:
            yield Move(new_place.with_name(place.name), new_place)
    for file in sample.files(folder):
        before = _text(file)
        if _is_clear(file, folder, old):
            text = renamed(before, old, new)
        else:
            text = _renamed_where_clear(file, before, old, new, of_sample.lines)
        if text != before:
            if file.name == cargo_lock.FILE:
                text = cargo_lock.ordered(text)
            place = _named_inside(file.relative_to(folder), old, new, of_sample)
            yield Write(target / place, text, before)


def _named_inside(place: Path, old: Words, new: Words, of_sample: OfSample) -> Path:
    """Return a path in the service's folder with the name replaced where it means the service.

    A file that a person called by a name of one word is imported by that.
    """
    new_place = Path()
    for path in [*reversed(place.parents), place][1:]:
        is_clear = old.name != old.module or path in of_sample.paths
        new_place /= Path(renamed(str(path), old, new)).name if is_clear else path.name
    return new_place


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
