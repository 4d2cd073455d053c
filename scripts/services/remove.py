"""The steps that remove a service, whole or half there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scripts.catalog import catalog
from scripts.common import git
from scripts.common.errors import refuse
from scripts.common.git import GitError
from scripts.common.text import counted
from scripts.services import call, release, sample, service_parts, shared_files
from scripts.services.service_parts import ServiceParts
from scripts.services.shared_files import IMAGES
from scripts.services.steps import Remove, Step, Write


def steps(name: str) -> list[Step]:
    """Return the steps. Raises SutraError with all that is wrong with the call."""
    refuse([*call.existing_name("NAME", name)], "eg: make remove-service NAME=sutra-example")
    refuse([*needed_by(name)], "take the service out of their `needs` first")
    service = service_parts.find(name)
    return [*map(_removed, own_places(service)), *_shared(service)]


def needed_by(name: str) -> Iterator[str]:
    """Yield the images that need this one beside them."""
    for image in catalog.load(Path(IMAGES)).images:
        if name in image.runtime.needs:
            yield f'{IMAGES}: images.{image.name}.runtime.needs: names "{name}"'


def own_places(service: ServiceParts) -> list[Path]:
    """Return the folders and files that are the service's alone."""
    name = service.words.name
    files = (Path(form.format(name)) for form in shared_files.OWN_FILES)
    return [path for path in (service.folder, service_parts.TESTS / name, *files) if path.exists()]


def _removed(place: Path) -> Step:
    return Remove(place, _held(place))


def _held(place: Path) -> str:
    """Return how many files a place holds, and how many of them git cannot give back."""
    count = sum(1 for path in (place, *place.rglob("*")) if not path.is_dir())
    try:
        lost = git.ask("ls-files", "-z", "--others", "--modified", "--", str(place))
    except GitError:
        return f"{counted(count, 'file')}, and no git that could give them back"
    number = len(set(lost.split(bytes(1))) - {b""})
    return f"{counted(count, 'file')}, {number} of them not in git as they are"


def _shared(service: ServiceParts) -> Iterator[Step]:
    for file in shared_files.FILES:
        before = shared_files.read(file.name)
        text = shared_files.without(file, before, service.words)
        if file.name == IMAGES and text != before:
            share = release.share(before, service.words.name, _stands_on(service))
            text = release.lowered(text, service.words, share)
        if text != before:
            yield Write(Path(file.name), text, before)


def _stands_on(service: ServiceParts) -> str:
    """Return the image whose layers the service shares; "" where no list says its language."""
    if service.language not in sample.languages():
        return ""
    return sample.load(service.language).stands_on
