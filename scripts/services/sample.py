"""The living samples that a new service is copied from: `samples/LANGUAGE` and its YAML.

The YAML beside each folder holds what the service gets in the files that all services share.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sutra_cleanup import strict_yaml

from scripts.common.errors import SutraError
from scripts.services import cargo_lock, shared_files
from scripts.services.words import Words, renamed

FOLDER = Path("samples")
NAME, PORT = Words("sample-service"), 8100
# files that tools leave in a folder, and no sample has
LEFTOVERS = {"__pycache__", "node_modules", "target"}


@dataclass(frozen=True)
class Sample:
    """One language's sample: its folder, what shared files get, the image that it is built on.

    `pieces` are texts by file. `stands_on` is "" where the image brings all that it has.
    """

    language: str
    folder: Path
    pieces: Mapping[str, str]
    stands_on: str


def languages() -> tuple[str, ...]:
    """Return the languages that have a sample."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.yaml")))


def load(language: str) -> Sample:
    """Return a language's sample. Raises SutraError where its YAML is not as documented."""
    file = FOLDER / f"{language}.yaml"
    try:
        content = strict_yaml.load(file.read_text("utf-8"))
        pieces = {name: str(text) for name, text in content["pieces"].items()}
        stands_on = str(content.get("stands_on") or "")
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise SutraError(
            f"{file}: not a sample's pieces: {error}", f"`git checkout {file}` restores it"
        ) from error
    if missing := [name for name in _piece_names() if name not in pieces]:
        raise SutraError(
            f"{file}: pieces: missing: {', '.join(missing)}", "the other samples have an example"
        )
    folder = FOLDER / language
    if not files(folder):
        raise SutraError(f"{folder}: no sample is there", f"`git checkout {folder}` restores it")
    return Sample(language, folder, pieces, stands_on)


def _piece_names() -> list[str]:
    own = [form.format(NAME.name) for form in shared_files.OWN_FILES]
    return [*(file.name for file in shared_files.FILES), *own]


def copied(sample: Sample, words: Words, port: int) -> Iterator[tuple[Path, str]]:
    """Yield the files of a new service, by their paths in its folder."""
    for file in files(sample.folder):
        place = Path(renamed(str(file.relative_to(sample.folder)), NAME, words))
        text = renamed(shared_files.read(str(file)), NAME, words, {PORT: port})
        yield place, cargo_lock.ordered(text) if file.name == cargo_lock.FILE else text


def piece(sample: Sample, file: str, words: Words, port: int) -> str:
    """Return what a shared file gets for a new service."""
    return renamed(sample.pieces[file], NAME, words, {PORT: port})


def files(folder: Path) -> list[Path]:
    """Return the files of a folder in order, without what tools leave in it."""
    paths = []
    for place, folders, names in os.walk(folder):
        folders[:] = [
            subfolder for subfolder in folders if subfolder not in LEFTOVERS and subfolder[0] != "."
        ]
        paths += [Path(place, name) for name in names]
    return sorted(paths)
