"""Programs and libraries: of the image's architecture, stripped, able to load, and hardened."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from scripts.checks.contents.access import READ, RUN, WRITE, Access
from scripts.checks.contents.dynamic_loader import Loader, Missing, Object
from scripts.checks.contents.rule import Finding, Rule, Subject, quoted
from scripts.image.elf import Elf

# architecture in OCI image configurations → machine in ELF headers
MACHINES = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "386": "i386",
    "arm": "arm",
    "ppc64le": "ppc64",
    "riscv64": "riscv",
    "s390x": "s390",
}
# objects that no loader sees: relocatable ones, and memory images
NOT_LOADED = ("REL", "CORE")
# folders of every container in which everybody may write, whatever the image has there
SHARED = re.compile(r"/(?:tmp|var/tmp|dev/shm|run/lock)(?:/.*)?")
# variables with folders or files that the loader takes libraries from
LOADS_FROM = ("LD_LIBRARY_PATH", "LD_PRELOAD", "LD_AUDIT")
# the beginning of a search path that does not depend on the working folder
_ANCHORED = re.compile(r"/|\$(?:ORIGIN|\{ORIGIN\})(?:/|$)")


def architecture(subject: Subject) -> Iterator[Finding]:
    """Find ELF files of another machine, damaged ones, and an image for another platform."""
    named = subject.image.architecture
    if subject.architecture and named != subject.architecture:
        yield Finding("config:architecture", f"an image for {quoted(named)}")
    machine = MACHINES.get(subject.image.architecture, subject.image.architecture)
    for entry in subject.contents():
        if entry.elf and entry.elf.machine != machine:
            what = f"of {entry.elf.machine}" if entry.elf.machine else "damaged ELF file"
            yield Finding(entry.path, f"{what} {quoted(entry.path)}")


def stripped(subject: Subject) -> Iterator[Finding]:
    """Find ELF files with a symbol table or debugging sections."""
    for entry in subject.contents():
        if entry.elf and not entry.elf.stripped:
            yield Finding(entry.path, f"not stripped {quoted(entry.path)}")


def libraries(subject: Subject) -> Iterator[Finding]:
    """Find what keeps a program or library from being loaded by the image's user."""
    access = Access(subject)
    loader = Loader(subject.image, subject.environment.get("LD_LIBRARY_PATH", ""), access.reads)
    objects = _objects(subject)
    for path, elf in objects.items():
        interpreter = loader.find(elf.interpreter) if elf.interpreter else None
        if elf.interpreter and not (
            interpreter and interpreter.elf and interpreter.elf.machine == elf.machine
        ):
            named = quoted(elf.interpreter)
            yield Finding(path, f"interpreter not found {named}, of {quoted(path)}")
        elif interpreter and not (access.may(interpreter, RUN) and access.reads(elf.interpreter)):
            named = quoted(elf.interpreter)
            yield Finding(
                path, f"interpreter is closed to the image's user {named}, of {quoted(path)}"
            )
        entry = subject.files[path]
        # a library is read; a program need only be started
        opens = access.may(entry, READ) or (elf.is_program and access.may(entry, RUN))
        if access.closed(path) or not opens:
            yield Finding(path, f"program or library closed to the image's user {quoted(path)}")
    for missing in loader.closure(objects):
        yield Finding(missing.path, _in_words(missing))


def _objects(subject: Subject) -> dict[str, Elf]:
    """Return what a loader may be given, by path."""
    return {
        entry.path: entry.elf
        for entry in subject.contents()
        if entry.elf and entry.elf.kind not in NOT_LOADED and entry.kind == "file"
    }


def _in_words(missing: Missing) -> str:
    needed = f"needed by {quoted(missing.path)}"
    if missing.version:
        return f"no version {quoted(missing.version)} in {quoted(missing.library)}, {needed}"
    if missing.closed:
        return f"library closed to the image's user {quoted(missing.library)}, {needed}"
    return f"library not found {quoted(missing.library)}, {needed}"


def hardened(subject: Subject) -> Iterator[Finding]:
    """Find what lets somebody else's code into a process."""
    access = Access(subject)
    for entry in subject.contents():
        for trait in entry.elf.traits if entry.elf else ():
            if trait != "pie":
                yield Finding(entry.path, f"{trait} {quoted(entry.path)}")
        if entry.elf:
            for folder in entry.elf.rpath + entry.elf.runpath:
                if problem := _problem(folder, Object(entry.path, entry.elf), access, subject):
                    where = f"{problem} {quoted(folder)}, by {quoted(entry.path)}"
                    yield Finding(entry.path, f"libraries looked for in {where}")
    for name in LOADS_FROM:
        for folder in re.split("[:; ]", subject.environment.get(name) or "/"):
            if name != LOADS_FROM[0] and "/" not in folder:
                continue  # a library's name, looked for as any other
            if problem := _problem(folder, Object("any", Elf("", "")), access, subject):
                yield Finding(f"env:{name}", f"{name} names {problem} {quoted(folder)}")


def _problem(folder: str, user: Object, access: Access, subject: Subject) -> str:
    """Return what is wrong with a folder that libraries are taken from, or ""."""
    if not _ANCHORED.match(folder):
        return "a relative folder"
    places = map(posixpath.normpath, Loader.expanded(folder, user))
    writable = any(_writable(place, access, subject) for place in places)
    return "a folder that others may write to" if writable else ""


def _writable(place: str, access: Access, subject: Subject) -> bool:
    """Return whether the image's user, or everybody, may put something at `place`."""
    if SHARED.fullmatch(place):
        return True
    there = [subject.image.files.get(folder) for folder in subject.image.walk(place)]
    entries = [entry for entry in there if entry]
    if not entries:
        return False
    nearest = entries[-1]
    return bool(nearest.mode & 0o002) or (access.uid != 0 and access.may(nearest, WRITE))


RULES = (
    Rule(
        "architecture",
        "the image is of the platform asked for, every ELF file of its architecture",
        architecture,
    ),
    Rule("stripped", "no ELF file has a symbol table or debugging sections", stripped),
    Rule(
        "libraries",
        "the interpreter and every needed library of every ELF file are in the image, where its "
        "loader finds them, with the symbol versions that it needs, and the image's user can read "
        "them",
        libraries,
    ),
    Rule(
        "hardened",
        "no ELF file has an executable stack or text relocations; no search path for libraries "
        "is relative, or leads where others than root may write",
        hardened,
    ),
)
