"""Check the arguments of a call and report all problems at once: name, language, port."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Iterator

from scripts.common.text import escaped
from scripts.services import sample, service_parts, shared_files
from scripts.services.words import Words, line_of

FORM = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST = 40
FIRST_PORT, PORTS = 8000, range(1024, 65536)
# names that Rust reserves, beside Python's keywords and modules
RUST = {
    "abstract", "alloc", "as", "become", "box", "const", "core", "crate", "do", "dyn", "enum",
    "extern", "final", "fn", "gen", "impl", "let", "loop", "macro", "match", "mod", "move", "mut",
    "override", "priv", "proc-macro", "pub", "ref", "self", "static", "std", "struct", "super",
    "trait", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where",
}  # fmt: skip # a list of words
# names of folders and images that a service's files are made of
OURS = {"app", "build", "go", "internal", "main", "src", "target", "tests", "vendor"}
# bake's own targets: of a development image, of tests, of what is built upon
TARGETS = re.compile(r".*-(dev|test|builder|runtime)|sutra-base-.*")
NAMED = re.compile(r'^(?:target|group) "([^"]+)"', re.MULTILINE)


def new_name(knob: str, name: str) -> Iterator[str]:
    """Yield what is wrong with the name of a service that is not there yet."""
    if not name:
        yield f"{knob}: missing"
    elif not FORM.fullmatch(name) or len(name) > LONGEST:
        yield (
            f'{knob}: not the name of an image "{escaped(name)}": lower-case letters, digits '
            f"and single hyphens, a letter first, {LONGEST} characters at most"
        )
    elif reason := _reserved(Words(name)):
        yield f'{knob}: reserved "{name}": {reason}'
    else:
        yield from _taken(knob, name)


def _reserved(words: Words) -> str:
    """Return for what a name is reserved, "" where it is free."""
    name, module = words.name, words.module
    if TARGETS.fullmatch(name) or name in NAMED.findall(shared_files.read(shared_files.BAKE)):
        return f"a target of {shared_files.BAKE} is called so"
    if keyword.iskeyword(module) or module in sys.stdlib_module_names:
        return "Python's own"
    if name in RUST:
        return "Rust's own"
    if name in OURS:
        return "a folder of a package is called so"
    for file in sample.files(sample.FOLDER):
        if line := line_of(file.read_text("utf-8"), words):
            return f"{file}:{line} uses it"
    return ""


def _taken(knob: str, name: str) -> Iterator[str]:
    service = service_parts.find(name)
    if service.there and not service.missing:
        yield f'{knob}: taken "{name}": {service.there[0]}'
    elif service.there:
        yield f'{knob}: half there "{name}": {", ".join(service.there)}'
        yield from (f'{knob}: missing of "{name}": {part}' for part in service.missing)
    elif service.folder.exists():
        yield f'{knob}: taken "{name}": {service.folder}/'
    else:
        yield from _in_shared_files(knob, Words(name))


def _in_shared_files(knob: str, words: Words) -> Iterator[str]:
    """Yield where a name already is a word of a shared file: a rename could not tell it apart."""
    for file in shared_files.FILES:
        if line := line_of(shared_files.read(file.name), words):
            yield f'{knob}: taken "{words.name}": {file.name}:{line} has it as a word'


def existing_name(knob: str, name: str) -> Iterator[str]:
    """Yield what is wrong with the name of a service that should be there."""
    names = ", ".join(sorted(service.name for service in service_parts.listed()))
    if not name:
        yield f"{knob}: missing, services: {names}"
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
