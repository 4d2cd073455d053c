"""The steps that add a service: a sample's files under its name, and its part of shared files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scripts.common.errors import refuse
from scripts.services import call, release, sample, service_parts, shared_files
from scripts.services.sample import Sample
from scripts.services.shared_files import IMAGES
from scripts.services.steps import Step, Write
from scripts.services.words import Words


def steps(name: str, language: str, port: str) -> list[Step]:
    """Return the steps. Raises SutraError with all that is wrong with the call."""
    problems = [
        *call.new_name("NAME", name),
        *call.language(language),
        *call.port(port),
    ]
    refuse(
        problems,
        "eg: make new-service NAME=sutra-example LANGUAGE=python; where a service is half there, "
        "`make remove-service` takes the rest away; move away a folder that is no service",
    )
    words, number = Words(name), int(port) if port else call.free_port()
    chosen = sample.load(language)
    return [*_files(chosen, words, number), *_shared(chosen, words, number)]


def _files(chosen: Sample, words: Words, port: int) -> Iterator[Step]:
    folder = service_parts.PACKAGES / words.name
    for place, text in sample.copied(chosen, words, port):
        yield Write(folder / place, text)
    for form in shared_files.OWN_FILES:
        part = sample.piece(chosen, form.format(sample.NAME.name), words, port)
        yield Write(Path(form.format(words.name)), part)


def _shared(chosen: Sample, words: Words, port: int) -> Iterator[Step]:
    for file in shared_files.FILES:
        before = shared_files.read(file.name)
        part = sample.piece(chosen, file.name, words, port)
        text = shared_files.inserted(file, before, part)
        if file.name == IMAGES:
            share = release.share(text, words.name, chosen.stands_on)
            text = release.raised(text, words, share)
        yield Write(Path(file.name), text, before)
